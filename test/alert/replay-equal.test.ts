/**
 * A replay steps only the ticks that can be news, and production writes only the rows whose memory changed. Neither
 * may make a difference: the same rules over the same samples, each tick stepped, say the same.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Board, boardOf } from "../../src/alert/board.js";
import { compileRule, type Metrics } from "../../src/alert/compile.js";
import { stepRule } from "../../src/alert/evaluate.js";
import { replayRule } from "../../src/alert/replay.js";
import { restoreState } from "../../src/alert/restore.js";
import type { Series } from "../../src/alert/series.js";
import { readValues } from "../../src/alert/signal.js";
import type { InstanceState, RuleState, Transition } from "../../src/alert/state.js";
import type { AlertLevel, AlertRule, Signal } from "../../src/policy/policy.js";
import { makeLevel, makeMetric, makeRule } from "../support/make-policy.js";
import { START } from "./replay.js";

const METRICS: Metrics = {
  depth: makeMetric("depth"),
  jobs_ok: makeMetric("jobs_ok", { kind: "counter" }),
  jobs_done: makeMetric("jobs_done", { kind: "counter" }),
};
const DEPTH = { metric: "depth", where: {} };
const OK = { metric: "jobs_ok", where: {} };
const DONE = { metric: "jobs_done", where: {} };

/** An hour, too: a day without data is then 24 ticks, after which an instance is forgotten. */
const everyMs = fc.constantFrom(15_000, 60_000, 3_600_000);

const ticksOf = (every: number, most: number) => fc.nat(most).map((ticks) => ticks * every);

/** A line at 10 or 20, each way of staying and of leaving. */
const levelsFor = (every: number) =>
  fc
    .array(
      fc.record({
        op: fc.constantFrom(...([">", ">=", "<", "<="] as const)),
        forMs: ticksOf(every, 4),
        mOf: fc.option(fc.constantFrom<[number, number]>([1, 2], [2, 3], [3, 3], [4, 6])),
        recover: fc.option(
          fc.record({
            op: fc.constantFrom("<", ">=" as const),
            value: fc.constant(8),
            forMs: ticksOf(every, 3),
          }),
        ),
      }),
      { minLength: 1, maxLength: 2 },
    )
    .map((levels) =>
      levels.map((level, i): AlertLevel => {
        const line = {
          id: `L${i}`,
          value: 10 * (i + 1),
          severity: i === 0 ? "sev3" : "sev1",
        } as const;
        return makeLevel({ ...line, ...level, forMs: level.mOf ? 0 : level.forMs } as AlertLevel);
      }),
    );

const signalFor = (every: number): fc.Arbitrary<Signal> => {
  const overMs = 3 * every;
  return fc.constantFrom<Signal>(
    { form: "last", of: DEPTH },
    { form: "agg", fn: "avg", of: DEPTH, overMs, fullWindow: true },
    { form: "agg", fn: "p90", of: DEPTH, overMs, fullWindow: false },
    { form: "age", of: DEPTH },
    { form: "increase", of: OK, overMs },
    { form: "ratio", num: OK, all: DONE, overMs, minAll: 2 },
    { form: "div", num: DEPTH, den: DEPTH, fn: "max", overMs, fullWindow: false },
    { form: "burn", bad: OK, all: DONE, slo: 0.9, longMs: 6 * every, shortMs: every, minAll: 1 },
  );
};

const noDataFor = (every: number) =>
  fc.record({
    afterMs: ticksOf(every, 5),
    then: fc.constantFrom(...(["hold", "ok", "breach", "alert"] as const)),
  });

const ruleFor = (every: number): fc.Arbitrary<AlertRule> =>
  fc
    .record({
      signal: fc.oneof(
        { weight: 2, arbitrary: fc.constant<Signal>({ form: "last", of: DEPTH }) },
        signalFor(every),
      ),
      by: fc.constantFrom<string[]>([], ["queue"]),
      combine: fc.constantFrom(...(["sum", "avg", "max"] as const)),
      levels: levelsFor(every),
      noData: noDataFor(every),
    })
    .map((rule) =>
      makeRule({
        ...rule,
        everyMs: every,
        noData: rule.signal.form === "age" ? null : rule.noData,
      }),
    );

/** Runs of one value, of rises, or of silence; so that clocks have time to run out. */
const runs = fc.array(
  fc.record({
    value: fc.option(fc.constantFrom(0, 5, 8, 10, 10 + 1e-12, 15, 20, 25)),
    ticks: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 40 })),
  }),
  { minLength: 1, maxLength: 10 },
);

type Runs = { readonly value: number | null; readonly ticks: number }[];

function seriesOf(
  metric: string,
  labels: Record<string, string>,
  shape: Runs,
  every: number,
): Series {
  const values = shape.flatMap(({ value, ticks }) => Array<number | null>(ticks).fill(value));
  let total = 0;
  const points = values.flatMap((value, i) => {
    if (value === null) return [];
    // Counters start again now and then.
    total = value === 25 ? 0 : total + value;
    return [{ at: START + i * every, value: metric === "depth" ? value : total }];
  });
  return { metric, labels, points };
}

const scene = everyMs.chain((every) =>
  fc
    .record({ rule: ruleFor(every), shapes: fc.array(runs, { minLength: 1, maxLength: 3 }) })
    .map(({ rule, shapes }) => {
      const series = shapes.flatMap((shape, i) =>
        ["depth", "jobs_ok", "jobs_done"].map((metric) =>
          seriesOf(metric, { queue: `q${i % 2}`, host: `h${i}` }, shape, every),
        ),
      );
      // Hours to the epoch: START is a multiple of the shorter ticks only.
      const from = Math.ceil(START / every) * every;
      return { rule, board: boardOf(series), from, to: START + 150 * every };
    }),
);

const inOrder = (transitions: readonly Transition[]) =>
  [...transitions].sort((a, b) => a.at - b.at || (a.instance < b.instance ? -1 : 1));

describe("a replay", () => {
  test("that steps only what can be news says and remembers what one of every tick does", () => {
    fc.assert(
      fc.property(scene, ({ rule, board, from, to }) => {
        const input = { rule, metrics: METRICS, board, from, to };
        const skipping = replayRule(input);
        const stepping = replayRule({ ...input, options: { everyTick: true } });
        expect(skipping).toEqual(stepping);
      }),
      { seed: 44, numRuns: 300 },
    );
  });

  test("goes on from what was remembered as if it had never stopped", () => {
    fc.assert(
      fc.property(scene, fc.integer({ min: 1, max: 149 }), ({ rule, board, from, to }, ticks) => {
        const whole = replayRule({ rule, metrics: METRICS, board, from, to });
        const middle = from + ticks * rule.everyMs;
        const first = replayRule({ rule, metrics: METRICS, board, from, to: middle });
        const second = replayRule({
          ...{ rule, metrics: METRICS, board, to },
          from: middle + rule.everyMs,
          state: first.state,
        });
        expect(second.state).toEqual(whole.state);
        expect(inOrder([...first.transitions, ...second.transitions])).toEqual(
          inOrder(whole.transitions),
        );
      }),
      { seed: 45, numRuns: 150 },
    );
  });
});

/** As the runtime: a board that grows, rows that are written when asked for, a clock, a process that may die. */
function produce(
  rule: AlertRule,
  board: Board,
  from: number,
  to: number,
  restarts: ReadonlySet<number>,
) {
  const compiled = compileRule(rule, METRICS);
  const rows = new Map<string, InstanceState>();
  const transitions: Transition[] = [];
  let state: RuleState = {};
  let n = 0;
  for (let at = from; at <= to; at += rule.everyMs) {
    const step = stepRule({
      rule: compiled,
      state,
      readings: readValues(compiled, board, at),
      now: new Date(at),
    });
    state = step.state;
    transitions.push(...step.transitions);
    for (const key of step.removed) rows.delete(key);
    for (const key of step.changed) rows.set(key, JSON.parse(JSON.stringify(state[key])));
    n += 1;
    if (restarts.has(n)) state = restoreState(Object.fromEntries(rows), at);
  }
  return { state, transitions };
}

/** The last value of a row that nothing happened to is only as fresh as the row. */
const withoutValues = (state: RuleState) =>
  Object.fromEntries(Object.entries(state).map(([key, { value: _, ...rest }]) => [key, rest]));

describe("production", () => {
  test("says what a replay says, whatever it forgot in restarts between two ticks", () => {
    const restarts = fc.uniqueArray(fc.integer({ min: 1, max: 150 }), { maxLength: 12 });
    fc.assert(
      fc.property(scene, restarts, ({ rule, board, from, to }, at) => {
        const replayed = replayRule({ rule, metrics: METRICS, board, from, to });
        const produced = produce(rule, board, from, to, new Set(at));
        expect(inOrder(produced.transitions)).toEqual(inOrder(replayed.transitions));
        expect(withoutValues(produced.state)).toEqual(withoutValues(replayed.state));
      }),
      { seed: 46, numRuns: 300 },
    );
  });
});
