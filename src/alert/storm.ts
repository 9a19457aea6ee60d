/**
 * How many messages a receiver bears: a token bucket for each of its lanes, and what comes beyond it, or in a storm,
 * is folded into a digest. Nothing is dropped (alerting.md 1.6). Pure; times are milliseconds since the epoch.
 */
import { MINUTE_MS } from "../base/duration.js";

export interface LaneState {
  /** At most a minute's; a fraction is on its way. */
  readonly tokens: number;
  readonly refilledAt: number;
  /** Null: no storm. */
  readonly stormSince: number | null;
  /** Within a storm: since when so few fire that it may be over. */
  readonly calmSince: number | null;
}

export interface LaneWeather {
  readonly perMinuteMax: number;
  /** Alerts of all rules that began or got worse in the last minute. */
  readonly firedLastMinute: number;
  readonly stormPerMinute: number;
  readonly now: number;
}

/** A storm that pauses for a moment is still the same one. */
export const STORM_CALM_MS = 2 * MINUTE_MS;

/** A new lane begins with a full bucket. */
export function newLane(perMinuteMax: number, now: number): LaneState {
  return { tokens: perMinuteMax, refilledAt: now, stormSince: null, calmSince: null };
}

export interface Weathered {
  readonly lane: LaneState;
  readonly stormOver: boolean;
}

/** The lane after the time that passed, with nothing to say. */
export function weather(lane: LaneState, input: LaneWeather): Weathered {
  const { perMinuteMax, firedLastMinute, stormPerMinute, now } = input;
  const passed = Math.max(0, now - lane.refilledAt);
  const tokens = Math.min(perMinuteMax, lane.tokens + (passed * perMinuteMax) / MINUTE_MS);
  const filled = { ...lane, tokens, refilledAt: Math.max(now, lane.refilledAt) };
  if (firedLastMinute > stormPerMinute)
    return {
      lane: { ...filled, stormSince: lane.stormSince ?? now, calmSince: null },
      stormOver: false,
    };
  if (lane.stormSince === null) return { lane: filled, stormOver: false };
  const calmSince = lane.calmSince ?? now;
  const stormOver = now >= calmSince + STORM_CALM_MS;
  return {
    lane: stormOver ? { ...filled, stormSince: null, calmSince: null } : { ...filled, calmSince },
    stormOver,
  };
}

/**
 * Whether a message goes out by itself. `critical`: a page, or what is owed a message of its own: only an empty
 * bucket folds it, never a storm of others.
 */
export function admit(
  lane: LaneState,
  input: LaneWeather & { readonly critical: boolean },
): Weathered & { readonly verdict: "send" | "digest" } {
  const { lane: after, stormOver } = weather(lane, input);
  const folds = after.stormSince !== null && !input.critical;
  if (folds || after.tokens < 1) return { lane: after, verdict: "digest", stormOver };
  return { lane: { ...after, tokens: after.tokens - 1 }, verdict: "send", stormOver };
}
