/** A replayed rule in numbers that people compare. Pure; times are milliseconds. */
import type { Replayed } from "../alert/replay.js";
import { MINUTE_MS } from "../base/duration.js";
import type { Firing } from "./firing.js";
import type { Said } from "./said.js";

export interface RuleFigures {
  /** Instances that fired, each time anew. */
  readonly firings: number;
  /** Summed over instances, to the minute. */
  readonly minutesFiring: number;
  /** Times that somebody was to be woken: sev1, once for all receivers of a moment. */
  readonly pages: number;
  /** To all receivers, ends as well. */
  readonly messages: number;
  /** Of the firings those that began soon after the same instance had ended. */
  readonly flaps: number;
  /** Judged ticks without data, 0–1; null: none was judged. */
  readonly missingShare: number | null;
  /** Firings that were there before the time began, and that were there when it ended: cut by its edges. */
  readonly cut: number;
  /** When the first began; null: none did. */
  readonly firstAt: number | null;
}

/** A firing again within this time is the same trouble to whoever hears of it. */
const FLAP_MS = 15 * MINUTE_MS;

export function ruleFigures(of: {
  readonly replayed: Pick<Replayed, "ticks" | "missingTicks">;
  /** Within the time that is judged, in order. */
  readonly firings: readonly Firing[];
  readonly said: readonly Said[];
  readonly from: number;
  readonly to: number;
}): RuleFigures {
  const { replayed, firings, from, to } = of;
  const said = of.said.filter(({ at }) => at > from && at <= to);
  const firingMs = firings.reduce(
    (sum, one) => sum + Math.min(one.to ?? to, to) - Math.max(one.from, from),
    0,
  );
  return {
    firings: firings.length,
    minutesFiring: Math.round(firingMs / MINUTE_MS),
    pages: pagesOf(said),
    messages: said.length,
    flaps: flapsOf(firings),
    missingShare: replayed.ticks === 0 ? null : replayed.missingTicks / replayed.ticks,
    cut: firings.filter((one) => one.from <= from || one.to === null).length,
    firstAt: firings[0]?.from ?? null,
  };
}

function pagesOf(said: readonly Said[]): number {
  const pages = said.filter(({ action, severity }) => action === "trigger" && severity === "sev1");
  return new Set(pages.map(({ at, groupKey }) => `${at} ${groupKey}`)).size;
}

function flapsOf(firings: readonly Firing[]): number {
  const endedAt = new Map<string, number>();
  let flaps = 0;
  for (const { instance, from, to } of firings) {
    if (from - (endedAt.get(instance) ?? Number.NEGATIVE_INFINITY) < FLAP_MS) flaps += 1;
    endedAt.set(instance, to ?? Number.POSITIVE_INFINITY);
  }
  return flaps;
}
