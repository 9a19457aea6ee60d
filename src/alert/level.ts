/** One level of one instance over one tick: inactive → pending → firing, and back (alerting.md 1.6). */
import { unreachable } from "../base/assert.js";
import type { AlertLevel, Comparison } from "../policy/policy.js";
import type { LevelState } from "./state.js";

/** What a tick tells about the condition. */
export type Tick =
  | { readonly kind: "value"; readonly value: number }
  /** No data: clocks neither advance nor start again. */
  | { readonly kind: "hold"; readonly lostMs: number }
  /** No data, and the rule says what that means. */
  | { readonly kind: "good" | "breach" | "alert" };

/**
 * Sums of binary fractions are off by a last bit: without this, the mean of twenty samples of 0.95
 * may be "below 0.95" and page someone. Relative to the threshold.
 */
const EQUAL_WITHIN = 1e-9;

/** NaN never breaches. */
export function breaches(value: number, op: Comparison, threshold: number): boolean {
  return isBeyond(value, op, lineOf(op, threshold));
}

/** Where the comparison really turns, with the slack for equality. */
export function lineOf(op: Comparison, threshold: number): number {
  const slack = Math.abs(threshold) * EQUAL_WITHIN;
  return op === ">" || op === "<=" ? threshold + slack : threshold - slack;
}

/** @param line of `lineOf` */
export function isBeyond(value: number, op: Comparison, line: number): boolean {
  switch (op) {
    case ">":
      return value > line;
    case ">=":
      return value >= line;
    case "<":
      return value < line;
    case "<=":
      return value <= line;
    default:
      return unreachable(op);
  }
}

/** The level after the tick; null when it is not active. */
export function stepLevel(
  level: AlertLevel,
  before: LevelState | null,
  tick: Tick,
  now: number,
): LevelState | null {
  if (tick.kind === "hold") return before && hold(before, tick.lostMs);
  // Silence that the rule declared to be the alarm has already waited `noData.after`.
  if (tick.kind === "alert") return before?.phase === "firing" ? before : fire(level, now);
  if (isBreach(level, tick)) return advance(level, before, now);
  return before?.phase === "firing" ? recover(level, before, tick, now) : null;
}

function isBreach(level: AlertLevel, tick: Exclude<Tick, { kind: "hold" }>): boolean {
  return tick.kind === "value"
    ? breaches(tick.value, level.op, level.value)
    : tick.kind === "breach";
}

export function hold(before: LevelState, lostMs: number): LevelState {
  const { phase, activeAt, recoveringSince } = before;
  return {
    ...before,
    activeAt: phase === "pending" ? activeAt + lostMs : activeAt,
    recoveringSince: recoveringSince === null ? null : recoveringSince + lostMs,
  };
}

function advance(level: AlertLevel, before: LevelState | null, now: number): LevelState {
  const activeAt = before?.activeAt ?? now;
  const isFiring = before?.phase === "firing" || now >= activeAt + level.forMs;
  const phase = isFiring ? "firing" : "pending";
  const isSame = before?.phase === phase && before.recoveringSince === null;
  return isSame ? before : { phase, activeAt, recoveringSince: null, op: level.op };
}

export function fire(level: AlertLevel, now: number): LevelState {
  return { phase: "firing", activeAt: now, recoveringSince: null, op: level.op };
}

/** Leaving is harder than entering: the recovery side must be held for its own time. */
export function recover(
  level: AlertLevel,
  before: LevelState,
  tick: Exclude<Tick, { kind: "hold" }>,
  now: number,
): LevelState | null {
  if (level.recover === null) return null;
  const { op, value, forMs } = level.recover;
  const isRecovering = tick.kind === "value" ? breaches(tick.value, op, value) : true;
  if (!isRecovering) return recoveringFrom(before, null);
  const recoveringSince = before.recoveringSince ?? now;
  return now >= recoveringSince + forMs ? null : recoveringFrom(before, recoveringSince);
}

/** The same object when nothing changed: so a tick without news is seen at a glance. */
function recoveringFrom(before: LevelState, recoveringSince: number | null): LevelState {
  return before.recoveringSince === recoveringSince ? before : { ...before, recoveringSince };
}
