/**
 * What a step sees of a value: on which side of each line it lies. Two values of one class are stepped alike, and only
 * time can make a difference between two ticks of one class; `nextDeadline` says when.
 */
import type { AlertLevel, AlertRule, Comparison } from "../policy/policy.js";
import { isBeyond, lineOf } from "./level.js";
import { evaluationRange } from "./m-of-n.js";
import { type InstanceState, ringKey } from "./state.js";
import { forgottenAt, isQuiet } from "./step-instance.js";
import { isWindowLevel } from "./window-level.js";

/** No data is a class of its own. */
export const NO_VALUE = -1;

export interface Classifier {
  /** A number for each value: equal numbers, equal steps. */
  classOf(value: number): number;
  /** Every value between these two, both excluded, is of the class. */
  between(valueClass: number): Between;
}

export type Between = readonly [low: number, high: number];

type Line = { readonly op: Comparison; readonly line: number };

export function classifierOf(rule: AlertRule): Classifier {
  const lines = rule.levels.flatMap(({ op, value, recover }): Line[] => [
    { op, line: lineOf(op, value) },
    ...(recover ? [{ op: recover.op, line: lineOf(recover.op, recover.value) }] : []),
  ]);
  const between = betweenLines(lines);
  return {
    classOf: (value) => (Number.isFinite(value) ? sidesOf(value, lines) : NO_VALUE),
    between: (valueClass) => between.get(valueClass) ?? NOTHING_BETWEEN,
  };
}

const NOTHING_BETWEEN = [Number.NaN, Number.NaN] as const;

/** Each line that is crossed changes the class, so each class lies between two neighbours. */
function betweenLines(lines: readonly Line[]): Map<number, Between> {
  const borders = [-Number.MAX_VALUE, ...lines.map(({ line }) => line), Number.MAX_VALUE];
  borders.sort((a, b) => a - b);
  const between = new Map<number, Between>();
  for (let i = 1; i < borders.length; i += 1) {
    const [low, high] = [borders[i - 1]!, borders[i]!];
    const middle = low / 2 + high / 2;
    // Between two lines that touch there is no number.
    if (middle > low && middle < high) between.set(sidesOf(middle, lines), [low, high]);
  }
  return between;
}

function sidesOf(value: number, lines: readonly Line[]): number {
  let sides = 0;
  for (const { op, line } of lines) sides = sides * 2 + (isBeyond(value, op, line) ? 1 : 0);
  return sides;
}

/**
 * When a tick of the same class as the last may be news, in milliseconds; Infinity: never. Until then such ticks do
 * exactly what moveClock does.
 */
export function nextDeadline(rule: AlertRule, state: InstanceState): number {
  let next = endOfSilence(rule, state);
  for (const level of rule.levels) next = Math.min(next, endOf(level, state));
  return next;
}

/** When missing data begins to mean something, or the instance is forgotten. */
function endOfSilence(rule: AlertRule, state: InstanceState): number {
  if (state.seen) return Number.POSITIVE_INFINITY;
  const silentSince = state.valueAt ?? state.knownSince;
  const forgotten = isQuiet(rule, state) ? forgottenAt(rule, state) : Number.POSITIVE_INFINITY;
  const waits = state.held === true && rule.noData !== null && rule.noData.then !== "hold";
  return waits ? Math.min(silentSince + rule.noData.afterMs, forgotten) : forgotten;
}

/** When a level's own time is over. */
function endOf(level: AlertLevel, state: InstanceState): number {
  const { phase, activeAt, recoveringSince } = state.levels[level.id] ?? NOT_ACTIVE;
  if (isWindowLevel(level) && !isSettled(state.rings?.[ringKey(level)] ?? "", level.mOf[1]))
    return state.tickAt + 1;
  if (state.held || phase === null) return Number.POSITIVE_INFINITY;
  if (phase === "pending" && !isWindowLevel(level)) return activeAt + level.forMs;
  if (recoveringSince === null || !level.recover) return Number.POSITIVE_INFINITY;
  return recoveringSince + level.recover.forMs;
}

const NOT_ACTIVE = { phase: null, activeAt: 0, recoveringSince: null };

/** One more point like the last changes nothing. */
function isSettled(ring: string, n: number): boolean {
  return ring.length === evaluationRange(n) && ring === ring[0]!.repeat(ring.length);
}
