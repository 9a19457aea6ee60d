/** Drives the production evaluator over made-up samples, tick by tick, as the runtime would. */
import { boardOf } from "../../src/alert/board.js";
import { compileRule, type Metrics } from "../../src/alert/compile.js";
import { stepRule } from "../../src/alert/evaluate.js";
import type { Point, Series } from "../../src/alert/series.js";
import { readValues } from "../../src/alert/signal.js";
import type { RuleState, Transition } from "../../src/alert/state.js";
import type { AlertRule } from "../../src/policy/policy.js";

/** A multiple of every tick used in tests, so that ticks and samples fall together. */
export const START = 1_700_000_040_000;
export const SECOND = 1_000;
export const MINUTE = 60_000;

export const at = (ms: number): Date => new Date(START + ms);

/** A sample each `everyMs` from `fromMs` to `toMs`, both included, relative to START. */
export function samples(
  value: number,
  fromMs: number,
  toMs: number,
  everyMs = 15 * SECOND,
): Point[] {
  const points: Point[] = [];
  for (let ms = fromMs; ms <= toMs; ms += everyMs) points.push({ at: START + ms, value });
  return points;
}

export function makeSeries(
  metric: string,
  points: readonly Point[],
  labels: Record<string, string> = {},
): Series {
  return { metric, labels, points };
}

export interface Replay {
  readonly rule: AlertRule;
  readonly series: readonly Series[];
  readonly metrics?: Metrics;
  readonly fromMs?: number;
  readonly toMs: number;
  readonly state?: RuleState;
}

export interface Replayed {
  readonly state: RuleState;
  readonly transitions: readonly Transition[];
  /** `kind@seconds since START`, in order. */
  readonly story: readonly string[];
}

/** Ticks each `rule.everyMs` from `fromMs` (0) to `toMs`, both included. */
export function replay(input: Replay): Replayed {
  const { rule, state = {}, fromMs = 0, toMs, metrics = {} } = input;
  const ticks: Tick[] = [];
  const board = boardOf(input.series);
  const compiled = compileRule(rule, metrics);
  for (let ms = fromMs; ms <= toMs; ms += rule.everyMs) {
    const now = at(ms);
    ticks.push({ now, readings: readValues(compiled, board, now.getTime()) });
  }
  return walk(rule, state, ticks);
}

/** Ticks with given values (null: no data), one instance, one tick each `rule.everyMs`. */
export function feed(
  rule: AlertRule,
  values: readonly (number | null)[],
  options: { state?: RuleState; fromTick?: number } = {},
): Replayed {
  const { state = {}, fromTick = 0 } = options;
  const ticks = values.map((value, i): Tick => {
    const readings = [{ instance: "all", labels: {}, value }];
    return { now: at((fromTick + i) * rule.everyMs), readings };
  });
  return walk(rule, state, ticks);
}

type Tick = Pick<Parameters<typeof stepRule>[0], "now" | "readings">;

function walk(rule: AlertRule, from: RuleState, ticks: readonly Tick[]): Replayed {
  let state = from;
  const compiled = compileRule(rule, {});
  const transitions: Transition[] = [];
  for (const tick of ticks) {
    const step = stepRule({ rule: compiled, state, ...tick });
    // As a restart between any two ticks would leave it.
    state = JSON.parse(JSON.stringify(step.state)) as RuleState;
    transitions.push(...step.transitions);
  }
  return { state, transitions, story: transitions.map(tell) };
}

function tell(transition: Transition): string {
  return `${transition.kind}@${(transition.at - START) / SECOND}`;
}
