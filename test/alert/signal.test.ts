import { describe, expect, test } from "vitest";
import { boardOf } from "../../src/alert/board.js";
import { compileRule, type Metrics } from "../../src/alert/compile.js";
import type { Series } from "../../src/alert/series.js";
import { readValues } from "../../src/alert/signal.js";
import type { AlertRule, Signal } from "../../src/policy/policy.js";
import { makeMetric, makeRule } from "../support/make-policy.js";
import { at, MINUTE, makeSeries, SECOND, START, samples } from "./replay.js";

const GAUGE = { metric: "depth", where: {} };
const OK = { metric: "jobs_ok", where: {} };
const DONE = { metric: "jobs_done", where: {} };
const METRICS: Metrics = {
  depth: makeMetric("depth"),
  pool: makeMetric("pool"),
  jobs_ok: makeMetric("jobs_ok", { kind: "counter" }),
  jobs_done: makeMetric("jobs_done", { kind: "counter" }),
  latency: makeMetric("latency", { kind: "histogram", unit: "ms" }),
  beat: makeMetric("beat"),
  backup: makeMetric("backup", { unit: "timestamp" }),
};

function read(
  signal: Signal,
  series: readonly Series[],
  nowMs: number,
  overrides: Partial<AlertRule> = {},
) {
  const rule = makeRule({ signal, ...overrides });
  return readValues(compileRule(rule, METRICS), boardOf(series), at(nowMs).getTime());
}

function value(...input: Parameters<typeof read>): number | null {
  return read(...input)[0]!.value;
}

const agg = (fn: Extract<Signal, { form: "agg" }>["fn"], fullWindow = false): Signal => ({
  form: "agg",
  fn,
  of: GAUGE,
  overMs: MINUTE,
  fullWindow,
});

describe("last", () => {
  const last: Signal = { form: "last", of: GAUGE };

  test("is the newest sample, and later samples are not seen", () => {
    const series = [makeSeries("depth", [...samples(3, 0, 0), ...samples(5, 15_000, 15_000)])];
    expect(value(last, series, 0)).toBe(3);
    expect(value(last, series, 15_000)).toBe(5);
  });

  test("bridges four ticks, and at their end there is no data", () => {
    const series = [makeSeries("depth", samples(3, 0, 0))];
    expect(value(last, series, MINUTE - 1)).toBe(3);
    expect(value(last, series, MINUTE)).toBeNull();
  });

  test("a sample that is no number is no sample", () => {
    const series = [
      makeSeries("depth", [...samples(3, 0, 0), ...samples(Number.NaN, 15_000, 15_000)]),
    ];
    expect(value(last, series, 15_000)).toBe(3);
    expect(value(last, [makeSeries("depth", samples(Number.NaN, 0, 0))], 0)).toBeNull();
  });

  test("only series with the wanted labels count", () => {
    const series = [
      makeSeries("depth", samples(3, 0, 0), { queue: "index" }),
      makeSeries("depth", samples(4, 0, 0), { queue: "score" }),
    ];
    const of = { metric: "depth", where: { queue: "score" } };
    expect(value({ form: "last", of }, series, 0)).toBe(4);
  });
});

describe("agg", () => {
  const climbing = [
    makeSeries(
      "depth",
      [1, 2, 3, 4, 10].map((n, i) => ({ at: START + i * 15 * SECOND, value: n })),
    ),
  ];

  test.each([
    ["avg", 4.75],
    ["min", 2],
    ["max", 10],
    ["sum", 19],
    ["count", 4],
    ["p50", 3],
    ["p95", 10],
  ] as const)(
    "%s looks at (t − over, t]: the sample on the far border is outside",
    (fn, expected) => {
      expect(value(agg(fn), climbing, MINUTE)).toBe(expected);
    },
  );

  test("with fullWindow there is no value until the window is covered", () => {
    const series = [makeSeries("depth", samples(7, 0, 10 * MINUTE))];
    expect(value(agg("avg", true), series, 45 * SECOND)).toBeNull();
    expect(value(agg("avg", true), series, MINUTE)).toBe(7);
  });

  test("with fullWindow a hole wider than what is bridged is no data", () => {
    const holed = [...samples(7, 0, 0), ...samples(7, 90 * SECOND, 5 * MINUTE)];
    const over = { ...agg("avg", true), overMs: 2 * MINUTE } as Signal;
    expect(value(over, [makeSeries("depth", holed)], 2 * MINUTE)).toBeNull();
    expect(value(over, [makeSeries("depth", holed)], 5 * MINUTE)).toBe(7);
  });

  test("series are combined at each moment before time is aggregated", () => {
    const series = [
      makeSeries("depth", [...samples(1, 0, 0), ...samples(9, 15_000, 15_000)], { queue: "a" }),
      makeSeries("depth", [...samples(9, 0, 0), ...samples(1, 15_000, 15_000)], { queue: "b" }),
    ];
    expect(value(agg("max"), series, 15_000)).toBe(10);
    expect(value(agg("max"), series, 15_000, { combine: "max" })).toBe(9);
  });

  test("a series that reports at other moments counts with its newest value", () => {
    const series = [
      makeSeries("depth", samples(1, 0, 0), { queue: "a" }),
      makeSeries("depth", samples(9, 5_000, 5_000), { queue: "b" }),
    ];
    expect(value(agg("max"), series, 15_000)).toBe(10);
  });

  test("the mean of equal values is that value to the last bit", () => {
    const series = [makeSeries("depth", samples(0.95, 0, 10 * MINUTE))];
    expect(value({ ...agg("avg", true), overMs: 5 * MINUTE } as Signal, series, 10 * MINUTE)).toBe(
      0.95,
    );
  });
});

describe("a histogram", () => {
  const LATENCY = { metric: "latency", where: {} };
  const asked = (fn: string) =>
    ({ form: "agg", fn, of: LATENCY, overMs: MINUTE, fullWindow: false }) as Signal;
  /** One process's buckets: so many more requests at most so slow, over the minute. */
  const buckets = (host: string, upTo: Record<string, number>) =>
    Object.entries(upTo).map(([le, grown]) =>
      makeSeries("latency", [...samples(7, 0, 0), ...samples(7 + grown, MINUTE, MINUTE)], {
        host,
        le,
      }),
    );
  const BOTH = [
    ...buckets("a", { 10: 90, 100: 90, 1000: 90, "+Inf": 90 }),
    ...buckets("b", { 10: 0, 100: 4, 1000: 10, "+Inf": 10 }),
  ];

  test("is counted over all processes before a percentile is taken", () => {
    expect(value(asked("p90"), BOTH, MINUTE)).toBe(10);
    // The 95th of a hundred is the fifth of ten in the bucket of 100 to 1,000, where six lie.
    expect(value(asked("p95"), BOTH, MINUTE)).toBeCloseTo(100 + 900 / 6, 9);
  });

  test("knows nothing beyond its last bound", () => {
    expect(value(asked("p99"), buckets("a", { 10: 1, 100: 1, "+Inf": 10 }), MINUTE)).toBe(100);
  });

  test("without anything counted has no percentile, and counts none", () => {
    const idle = buckets("a", { 10: 0, "+Inf": 0 });
    expect(value(asked("p95"), idle, MINUTE)).toBeNull();
    expect(value(asked("count"), idle, MINUTE)).toBe(0);
    expect(value(asked("count"), BOTH, MINUTE)).toBe(100);
  });
});

describe("rate and increase", () => {
  const increase: Signal = { form: "increase", of: OK, overMs: MINUTE };
  const counter = (...values: number[]) => [
    makeSeries(
      "jobs_ok",
      values.map((n, i) => ({ at: START + i * 15 * SECOND, value: n })),
    ),
  ];

  test("a fall is a restart from zero", () => {
    expect(value(increase, counter(10, 15, 2, 4), 45_000)).toBe(9);
  });

  test("growth across the window's border is not lost", () => {
    expect(value(increase, counter(0, 10, 10, 10, 10, 10), 75_000)).toBe(0);
    expect(value(increase, counter(0, 10, 10, 10, 10, 10), 60_000)).toBe(10);
  });

  test("one sample tells nothing", () => {
    expect(value(increase, counter(10), 0)).toBeNull();
  });

  test("rate is per second over the time that was really seen", () => {
    expect(value({ form: "rate", of: OK, overMs: MINUTE }, counter(0, 30), 15_000)).toBe(2);
  });
});

describe("ratio", () => {
  const ratio = (minAll = 0): Signal => ({
    form: "ratio",
    num: OK,
    all: DONE,
    overMs: MINUTE,
    minAll,
  });
  const counters = (ok: number, done: number) => [
    makeSeries("jobs_ok", [...samples(0, 0, 0), ...samples(ok, 15_000, 15_000)]),
    makeSeries("jobs_done", [...samples(0, 0, 0), ...samples(done, 15_000, 15_000)]),
  ];

  test("is the share in the window", () => {
    expect(value(ratio(), counters(19, 20), 15_000)).toBe(0.95);
  });

  test("nothing out of nothing is no data, neither 0 nor 100 %", () => {
    expect(value(ratio(), counters(0, 0), 15_000)).toBeNull();
  });

  test("fewer than minAll is no data", () => {
    expect(value(ratio(20), counters(1, 19), 15_000)).toBeNull();
    expect(value(ratio(20), counters(1, 20), 15_000)).toBe(0.05);
  });

  test("a class that never occurred is none of many", () => {
    expect(value(ratio(), counters(0, 20).slice(1), 15_000)).toBe(0);
  });
});

describe("div", () => {
  const div: Signal = {
    form: "div",
    num: GAUGE,
    den: { metric: "pool", where: {} },
    fn: "avg",
    overMs: MINUTE,
    fullWindow: false,
  };

  test("divides one gauge by another, each aggregated first", () => {
    const series = [makeSeries("depth", samples(19, 0, 0)), makeSeries("pool", samples(20, 0, 0))];
    expect(value(div, series, 0)).toBe(0.95);
  });

  test("a missing or zero divisor is no data", () => {
    expect(value(div, [makeSeries("depth", samples(19, 0, 0))], 0)).toBeNull();
    const zero = [makeSeries("depth", samples(19, 0, 0)), makeSeries("pool", samples(0, 0, 0))];
    expect(value(div, zero, 0)).toBeNull();
  });
});

describe("age", () => {
  const age = (metric: string): Signal => ({ form: "age", of: { metric, where: {} } });

  test("is the seconds since the newest sample, however old", () => {
    expect(value(age("beat"), [makeSeries("beat", samples(1, 0, 0))], 3 * 3_600_000)).toBe(10_800);
  });

  test("of a metric that holds a moment it is the seconds since that moment", () => {
    const series = [makeSeries("backup", samples(START / 1_000 - 30, 0, 0))];
    expect(value(age("backup"), series, 0)).toBe(30);
  });

  test("of several beating processes the freshest counts, unless the rule asks for the stalest", () => {
    const series = [
      makeSeries("beat", samples(1, 0, 0), { process: "a" }),
      makeSeries("beat", samples(1, 30_000, 30_000), { process: "b" }),
    ];
    expect(value(age("beat"), series, MINUTE, { combine: "sum" })).toBe(30);
    expect(value(age("beat"), series, MINUTE, { combine: "max" })).toBe(60);
  });
});

describe("burn", () => {
  const burn = (minAll = 1): Signal => ({
    ...{ form: "burn", bad: OK, all: DONE, slo: 0.999 },
    ...{ longMs: 60 * MINUTE, shortMs: 5 * MINUTE, minAll },
  });
  /** Each minute ten are done; so many of them are bad while the first so many minutes last, then others. */
  const hours = (early: number, late: number, lateFrom: number) => {
    const at = (n: number) => START + n * MINUTE;
    const badAt = (n: number) => Math.min(n, lateFrom) * early + Math.max(n - lateFrom, 0) * late;
    const minutes = Array.from({ length: 121 }, (_, n) => n);
    return [
      makeSeries(
        "jobs_done",
        minutes.map((n) => ({ at: at(n), value: 10 * n })),
      ),
      makeSeries(
        "jobs_ok",
        minutes.map((n) => ({ at: at(n), value: badAt(n) })),
      ),
    ];
  };

  test("is how many times too fast the budget goes: 1.44 % of a 0.1 % budget is 14.4", () => {
    expect(value(burn(), hours(0.144, 0.144, 0), 120 * MINUTE)).toBeCloseTo(14.4, 6);
  });

  test("is the smaller of both windows: what is over does not page, what began just now does not yet", () => {
    expect(value(burn(), hours(1, 0, 115), 120 * MINUTE)).toBe(0);
    expect(value(burn(), hours(0, 1, 115), 120 * MINUTE)).toBeCloseTo(100 / 12, 6);
  });

  test("of too few is no data: one error of ten an hour is not a hundredfold burn", () => {
    expect(value(burn(601), hours(1, 1, 0), 120 * MINUTE)).toBeNull();
    expect(value(burn(600), hours(1, 1, 0), 120 * MINUTE)).toBeCloseTo(100, 6);
    expect(value(burn(), [], 0)).toBeNull();
  });
});

describe("instances", () => {
  const last: Signal = { form: "last", of: GAUGE };

  test("are told apart by the labels of `by` alone", () => {
    const series = [
      makeSeries("depth", samples(1, 0, 0), { queue: "index", host: "a" }),
      makeSeries("depth", samples(2, 0, 0), { queue: "index", host: "b" }),
      makeSeries("depth", samples(5, 0, 0), { host: "a" }),
    ];
    expect(read(last, series, 0, { by: ["queue"] })).toEqual([
      { instance: "queue=index", labels: { queue: "index" }, value: 3 },
      { instance: "queue=", labels: { queue: "" }, value: 5 },
    ]);
  });

  test("a rule without `by` has one, also when there is no series", () => {
    expect(read(last, [], 0)).toEqual([{ instance: "all", labels: {}, value: null }]);
    expect(read(last, [], 0, { by: ["queue"] })).toEqual([]);
  });

  test("labels that look like separators do not make two instances one", () => {
    const series = [
      makeSeries("depth", samples(1, 0, 0), { a: "1,b=2", b: "" }),
      makeSeries("depth", samples(1, 0, 0), { a: "1", b: "2,b=" }),
    ];
    const keys = read(last, series, 0, { by: ["a", "b"] }).map(({ instance }) => instance);
    expect(new Set(keys).size).toBe(2);
  });

  test("a very long label is cut to a key that a pager accepts, and stays its own", () => {
    const long = "x".repeat(400);
    const series = ["1", "2"].map((end) =>
      makeSeries("depth", samples(1, 0, 0), { a: long + end }),
    );
    const keys = read(last, series, 0, { by: ["a"] }).map(({ instance }) => instance);
    expect(new Set(keys).size).toBe(2);
    expect(Math.max(...keys.map((key) => key.length))).toBeLessThanOrEqual(150);
  });
});
