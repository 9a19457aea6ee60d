/** A level that asks for M of the newest N ticks (`mOf`), over one tick. Its points are remembered as a text. */
import type { AlertLevel, AlertRule } from "../policy/policy.js";
import { breaches, fire, recover, type Tick } from "./level.js";
import {
  evaluationRange,
  judgePoints,
  type MissingPoint,
  type PointClass,
  type WindowVerdict,
} from "./m-of-n.js";
import type { LevelState } from "./state.js";

export type WindowLevel = AlertLevel & { readonly mOf: readonly [number, number] };

export function isWindowLevel(level: AlertLevel): level is WindowLevel {
  return level.mOf !== null;
}

/** What a missing point stands for under each answer to missing data; while a rule still waits, it holds. */
const MISSING: Readonly<Record<NonNullable<AlertRule["noData"]>["then"], MissingPoint>> = {
  hold: "ignore",
  ok: "notBreaching",
  breach: "breaching",
  alert: "missing",
};

/** The points with that of this tick, newest last, no more than are looked at. */
export function pushPoint(level: WindowLevel, ring: string, tick: Tick): string {
  return (ring + pointOf(level, tick)).slice(-evaluationRange(level.mOf[1]));
}

function pointOf(level: AlertLevel, tick: Tick): PointClass {
  if (tick.kind !== "value") return "-";
  return breaches(tick.value, level.op, level.value) ? "X" : "0";
}

/** The level after the tick whose point is already in the ring; null when it is not active. */
export function stepWindowLevel(
  rule: AlertRule,
  level: WindowLevel,
  before: LevelState | null,
  ring: string,
  tick: Tick,
  now: number,
): LevelState | null {
  const [m, n] = level.mOf;
  // What was before we looked stands for nothing: neither a new rule nor a new series pages by that.
  const missing = ring.length < n ? "ignore" : missingPoint(rule, tick);
  const verdict = judgePoints(ring.split("") as PointClass[], { m, n, missing });
  const firing = stepFiring(level, before, verdict, tick, now);
  if (firing) return firing;
  const isPending = before?.phase === "pending";
  if (isPending && verdict === "keep") return before;
  // Some points are bad, too few of them yet.
  if (!ring.slice(-n).includes("X")) return null;
  return isPending ? before : pending(level, now);
}

function missingPoint({ noData }: AlertRule, { kind }: Tick): MissingPoint {
  if (kind === "value") return MISSING[noData?.then ?? "hold"];
  return MISSING[kind === "good" ? "ok" : kind];
}

/** Null when it does not fire after the tick. */
function stepFiring(
  level: WindowLevel,
  before: LevelState | null,
  verdict: WindowVerdict,
  tick: Tick,
  now: number,
): LevelState | null {
  const wasFiring = before?.phase === "firing";
  // That it never speaks again is the alarm itself where the rule says so.
  const isAlarm = verdict === "alarm" || (verdict === "insufficient" && tick.kind === "alert");
  if (isAlarm) return wasFiring ? backIn(before) : raise(level, before, now);
  if (!wasFiring) return null;
  return verdict === "ok" && tick.kind !== "hold" ? recover(level, before, tick, now) : before;
}

function raise(level: WindowLevel, before: LevelState | null, now: number): LevelState {
  return { ...fire(level, now), activeAt: before?.activeAt ?? now };
}

function backIn(before: LevelState): LevelState {
  return before.recoveringSince === null ? before : { ...before, recoveringSince: null };
}

function pending(level: WindowLevel, now: number): LevelState {
  return { phase: "pending", activeAt: now, recoveringSince: null, op: level.op };
}
