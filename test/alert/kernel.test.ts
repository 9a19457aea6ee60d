/** The readers of a replay work ahead; what they say must be what production's say at each tick, to the last bit. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boardOf } from "../../src/alert/board.js";
import { compileRule, type Metrics } from "../../src/alert/compile.js";
import { Cursor } from "../../src/alert/kernel.js";
import { readInto } from "../../src/alert/reader.js";
import type { Series } from "../../src/alert/series.js";
import { groupInstances } from "../../src/alert/signal.js";
import type { Aggregate, AlertRule, Signal } from "../../src/policy/policy.js";
import { makeMetric, makeRule } from "../support/make-policy.js";
import { START } from "./replay.js";

const EVERY = 15_000;
const LOOKS = 2 * 5_760;

const METRICS: Metrics = {
  load: makeMetric("load", { unit: "ratio" }),
  pool: makeMetric("pool"),
  done: makeMetric("done", { kind: "counter" }),
  failed: makeMetric("failed", { kind: "counter" }),
  spread: makeMetric("spread", { kind: "histogram", labels: ["le"] }),
  beat: makeMetric("beat", { unit: "timestamp" }),
};
const of = (metric: string) => ({ metric, where: {} });
const agg = (fn: Aggregate, fullWindow = false): Signal => ({
  ...{ form: "agg", fn, of: of("load"), overMs: 10 * 60_000, fullWindow },
});

const SIGNALS: readonly Signal[] = [
  { form: "last", of: of("load") },
  ...(["avg", "min", "max", "sum", "count", "p50", "p95"] as const).map((fn) => agg(fn)),
  agg("avg", true),
  agg("max", true),
  { form: "agg", fn: "p95", of: of("spread"), overMs: 300_000, fullWindow: false },
  { form: "rate", of: of("done"), overMs: 300_000 },
  { form: "increase", of: of("done"), overMs: 300_000 },
  { form: "ratio", num: of("failed"), all: of("done"), overMs: 300_000, minAll: 5 },
  { form: "ratio", num: of("load"), all: of("pool"), overMs: 300_000, minAll: 0 },
  {
    ...{ form: "div", num: of("load"), den: of("pool"), fn: "avg" },
    overMs: 60_000,
    fullWindow: false,
  },
  { form: "age", of: of("load") },
  { form: "age", of: of("beat") },
  {
    ...{ form: "burn", bad: of("failed"), all: of("done"), slo: 0.99 },
    longMs: 3_600_000,
    shortMs: 300_000,
    minAll: 9,
  },
];

/** Two days at 15 s with noise, holes, restarts, and a series that reports at other moments. */
function makeBoard() {
  let state = 4_711;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const times = Array.from({ length: LOOKS }, (_, i) => START + i * EVERY);
  const series = ["a", "b"].flatMap((host, h) => {
    let [hole, done, failed, level] = [0, 0, 0, 0.5];
    const names = ["load", "pool", "done", "failed", "beat", "10", "100", "+Inf"] as const;
    const points = new Map<string, { at: number; value: number }[]>(
      names.map((name) => [name, []]),
    );
    for (const tick of times) {
      hole = hole > 0 ? hole - 1 : random() < 0.01 ? Math.floor(random() * 40) : 0;
      if (random() < 0.001) [done, failed] = [0, 0];
      done += Math.floor(random() * 9);
      failed += random() < 0.02 ? 1 : 0;
      // At rest for an hour or so, then moving.
      if (random() < 0.5 || level !== 0.5) level = random() < 0.01 ? 0.5 : Math.fround(random());
      if (hole > 0) continue;
      const at = tick + h * 4_000;
      const load = Math.floor(tick / 3_600_000) % 3 === 0 ? 0.5 : level;
      const values = { load, pool: 1 + h, done, failed, beat: at / 1_000 - random() };
      const buckets = { "10": done / 2, "100": done * 0.9, "+Inf": done };
      for (const [name, value] of Object.entries({ ...values, ...buckets }))
        points.get(name)!.push({ at, value });
    }
    return [...points].map(([name, own]): Series => {
      const isBucket = name in { "10": 0, "100": 0, "+Inf": 0 };
      return isBucket
        ? { metric: "spread", labels: { host, le: name }, points: own }
        : { metric: name, labels: { host }, points: own };
    });
  });
  return boardOf(series);
}

describe("reading ahead", () => {
  const board = makeBoard();
  const ruleFor = (signal: Signal, rest: Partial<AlertRule>) =>
    compileRule(makeRule({ signal, everyMs: EVERY, ...rest }), METRICS);

  test.each(SIGNALS.map((signal): [string, Signal] => [JSON.stringify(signal), signal]))(
    "%s over two days says to the last bit what each tick alone says",
    (_, signal) => {
      for (const rest of [{ by: ["host"] }, { by: [], combine: "avg" }] as const) {
        const rule = ruleFor(signal, rest as Partial<AlertRule>);
        const [ahead, alone] = [groupInstances(rule, board), groupInstances(rule, board)];
        const ticks = { from: START, everyMs: EVERY, count: LOOKS };
        for (const [i, { reader }] of ahead.entries()) {
          const values = new Float64Array(LOOKS);
          reader.freeze(START, START + LOOKS * EVERY);
          readInto(values, reader, ticks);
          // Every tick of two days would take long where windows are merged anew: each 97th.
          for (let tick = 0; tick < LOOKS; tick += 97) {
            expect(alone[i]!.reader.valueAt(START + tick * EVERY)).toBe(values[tick]);
          }
        }
      }
    },
  );

  test("no form is without numbers here", () => {
    const silent = SIGNALS.filter((signal) => {
      const [one] = groupInstances(ruleFor(signal, { by: ["host"] }), board);
      const values = Array.from({ length: LOOKS }, (_, i) =>
        one!.reader.valueAt(START + i * EVERY),
      );
      return !values.some(Number.isFinite);
    });
    expect(silent).toEqual([]);
  });
});

describe("a cursor", () => {
  test("finds the newest sample at or before any moment, wherever it was asked before", () => {
    const moments = fc.array(fc.integer({ min: -5, max: 400 }), { maxLength: 60 });
    const samples = fc.uniqueArray(fc.integer({ min: 0, max: 380 }), { maxLength: 120 });
    fc.assert(
      fc.property(samples, moments, (at, asked) => {
        const times = Float64Array.from([...at].sort((a, b) => a - b));
        const cursor = new Cursor({ times, values: times, length: times.length });
        for (const moment of asked) {
          expect(cursor.indexAt(moment)).toBe(times.findLastIndex((time) => time <= moment));
        }
      }),
      { seed: 7 },
    );
  });
});
