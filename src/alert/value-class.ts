/**
 * What a step sees of a value: on which side of each line it lies. Two values of one class are stepped alike, and only
 * time can make a difference between two ticks of one class; `nextDeadline` says when.
 */
import type { AlertRule, Comparison } from "../policy/policy.js";
import { isBeyond, lineOf } from "./level.js";
import { evaluationRange } from "./m-of-n.js";
import type { InstanceState } from "./state.js";
import { forgottenAt, isQuiet } from "./step-instance.js";
import { isWindowLevel } from "./window-level.js";

/** No data is a class of its own. */
export const NO_VALUE = -1;

export interface Classifier {
  /** A number for each value: equal numbers, equal steps. */
  classOf(value: number): number;
  /** Every value between these two, both excluded, is of the class of `value`. */
  between(value: number): readonly [low: number, high: number];
}

export function classifierOf(rule: AlertRule): Classifier {
  const lines = rule.levels.flatMap(({ op, value, recover }) => [
    { op, line: lineOf(op, value) },
    ...(recover ? [{ op: recover.op, line: lineOf(recover.op, recover.value) }] : []),
  ]);
  const ascending = lines.map(({ line }) => line).sort((a, b) => a - b);
  return {
    classOf: (value) => (Number.isFinite(value) ? sidesOf(value, lines) : NO_VALUE),
    between: (value) => {
      if (!Number.isFinite(value) || ascending.includes(value)) return NOTHING_BETWEEN;
      const low = ascending.findLast((line) => line < value) ?? -Number.MAX_VALUE;
      return [low, ascending.find((line) => line > value) ?? Number.MAX_VALUE];
    },
  };
}

const NOTHING_BETWEEN = [Number.NaN, Number.NaN] as const;

function sidesOf(
  value: number,
  lines: readonly { readonly op: Comparison; readonly line: number }[],
): number {
  let sides = 0;
  for (const { op, line } of lines) sides = sides * 2 + (isBeyond(value, op, line) ? 1 : 0);
  return sides;
}

/**
 * When a tick of the same class as the last may be news, in milliseconds; Infinity: never. Until then such ticks do
 * exactly what moveClock does.
 */
export function nextDeadline(rule: AlertRule, state: InstanceState): number {
  return Math.min(endOfSilence(rule, state), ...rule.levels.map((_, i) => endOf(rule, i, state)));
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
function endOf(rule: AlertRule, index: number, state: InstanceState): number {
  const level = rule.levels[index]!;
  const { phase, activeAt, recoveringSince } = state.levels[level.id] ?? NOT_ACTIVE;
  if (isWindowLevel(level) && !isSettled(state.rings?.[level.id] ?? "", level.mOf[1]))
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
