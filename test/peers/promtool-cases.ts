/**
 * Made-up rules with made-up series, for two engines that never heard of each other. Values are small whole numbers,
 * so that thresholds are hit exactly and runs are long enough for `for`; gaps are both shorter and longer than the
 * look-back of five minutes.
 */
import fc from "fast-check";
import type {
  Aggregate,
  AlertLevel,
  AlertRule,
  Comparison,
  Metric,
  Signal,
} from "../../src/policy/policy.js";
import { makeLevel, makeMetric, makeRule } from "../support/make-policy.js";

export const TICK_MS = 15_000;
export const TICKS = 80;

export interface MadeSeries {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In our unit, one a tick; null: no sample. */
  readonly values: readonly (number | null)[];
}

export interface Case {
  /** How to have it again: its place in the sequence of the seed. */
  readonly name: string;
  readonly rule: AlertRule;
  readonly metrics: readonly Metric[];
  readonly series: readonly MadeSeries[];
}

const COMPARISONS: readonly Comparison[] = [">", ">=", "<", "<="];
const OPPOSITES = { ">": "<=", ">=": "<", "<": ">=", "<=": ">" } as const;
const FUNCTIONS: readonly Aggregate[] = ["avg", "min", "max", "sum", "count", "p95"];

const ticks = (min: number, max: number) =>
  fc.integer({ min, max }).map((count) => count * TICK_MS);
const oneOf = <T>(...values: readonly T[]) => fc.constantFrom(...values);

/** Stretches of one value, a few of them of nothing. */
function stretches(holes: "none" | "some"): fc.Arbitrary<(number | null)[]> {
  const value = fc.integer({ min: 0, max: 6 });
  const none = fc.constant<number | null>(null);
  const one = holes === "none" ? value : fc.oneof({ weight: 4, arbitrary: value }, none);
  const stretch = fc.tuple(
    one,
    fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 12, max: 30 })),
  );
  return fc.array(stretch, { minLength: TICKS, maxLength: TICKS }).map((all) => {
    const values = all.flatMap(([each, length]) => Array.from({ length }, () => each));
    return values.slice(0, TICKS);
  });
}

/** Of a scrape each half minute or each minute: what lies between is a gap like any other. */
const thinned = (values: readonly (number | null)[], each: number) =>
  values.map((value, tick) => (tick % each === 0 ? value : null));

interface Shape {
  readonly form: "last" | "agg" | "div" | "ratio" | "age-held" | "age-seen" | "increase";
  readonly fn: Aggregate;
  readonly overMs: number;
  readonly fullWindow: boolean;
  readonly minAll: number;
  /** none: one series; by: an instance each; combined: several series an instance. */
  readonly instances: "none" | "by" | "combined";
  readonly combine: AlertRule["combine"];
  readonly unit: "count" | "ms";
}

const SHAPE: fc.Arbitrary<Shape> = fc.record({
  form: oneOf<Shape["form"]>(
    ...(["last", "last", "agg", "agg", "agg", "div", "div", "ratio"] as const),
    ...(["age-held", "age-seen", "increase"] as const),
  ),
  fn: oneOf(...FUNCTIONS),
  // Shorter than the look-back: a hole inside a window that is wider is seen here and not there.
  overMs: ticks(1, 19),
  fullWindow: fc.boolean(),
  minAll: oneOf(1, 1, 5, 20),
  instances: oneOf<Shape["instances"]>("none", "by", "combined"),
  combine: oneOf<AlertRule["combine"]>("sum", "avg", "min", "max"),
  unit: oneOf<Shape["unit"]>("count", "count", "ms"),
});

const LEVEL = fc.record({
  op: oneOf(...COMPARISONS),
  value: fc.integer({ min: 0, max: 6 }),
  forMs: fc.oneof(fc.constant(0), ticks(1, 8), ticks(1, 40), oneOf(20_000, 100_000)),
  recoverMs: fc.option(fc.oneof(ticks(0, 20), oneOf(20_000, 50_000)), { freq: 2 }),
  isWindow: fc.nat(20).map((die) => die === 0),
});

/** One in twelve is out of the common subset on purpose: it must be told, not compared. */
const NO_DATA = oneOf(...Array.from({ length: 11 }, () => "ok" as const), "hold" as const);

export function makeCases(seed: number, count: number): Case[] {
  const made = fc
    .tuple(SHAPE, LEVEL, NO_DATA)
    .chain(([shape, level, then]) =>
      fc
        .tuple(seriesFor(shape), fc.boolean())
        .map(([values, isThin]) => ({ shape, level, then, values, isThin })),
    );
  return fc.sample(made, { seed, numRuns: count }).map((one, i) => assemble(`case-${i}`, one));
}

/** Two series for each side that a form reads. Gaps of series that are put together are a class of their own. */
function seriesFor({ form, instances }: Shape) {
  const isMerged = form === "agg" || form === "div" || form === "ratio";
  const holes = instances === "combined" && isMerged ? "none" : "some";
  const one = stretches(holes);
  return fc.tuple(one, one, one, one);
}

interface Drawn {
  readonly shape: Shape;
  readonly level: {
    op: Comparison;
    value: number;
    forMs: number;
    recoverMs: number | null;
    isWindow: boolean;
  };
  readonly then: "ok" | "hold";
  readonly values: readonly (readonly (number | null)[])[];
  readonly isThin: boolean;
}

function assemble(name: string, drawn: Drawn): Case {
  const { shape, level, then } = drawn;
  const labels = shape.instances === "none" ? [] : ["queue"];
  const by = shape.instances === "by" ? ["queue"] : [];
  const metricOf = (side: string): Metric =>
    makeMetric(`${name}.${side}`.replace("-", "_"), {
      labels,
      kind: shape.form === "increase" ? "counter" : "gauge",
      unit: unitOf(shape),
    });
  const metrics = [metricOf("left"), metricOf("right")];
  const signal = signalOf(shape, metrics);
  const rule = makeRule({
    ...{ name, everyMs: TICK_MS, signal, by, combine: shape.combine },
    levels: [levelOf(shape, level)],
    noData: signal.form === "age" ? null : { afterMs: 0, then },
  });
  return {
    name,
    rule,
    metrics,
    series: metrics.flatMap((metric, side) => lay(metric, side, drawn)),
  };
}

/** Fractions of whole numbers are kept out of sums: they would differ in the last bit. */
function unitOf({ form, fn, unit }: Shape): Metric["unit"] {
  if (form === "age-held") return "timestamp";
  const isPlain = form === "last" || (form === "agg" && (fn === "min" || fn === "max"));
  return isPlain ? unit : "count";
}

function signalOf(shape: Shape, [left, right]: readonly Metric[]): Signal {
  const of = { metric: left!.name, where: {} };
  const other = { metric: right!.name, where: {} };
  const { fn, overMs, fullWindow, minAll } = shape;
  switch (shape.form) {
    case "last":
      return { form: "last", of };
    case "agg":
      return { form: "agg", fn, of, overMs, fullWindow };
    case "div":
      return { form: "div", num: of, den: other, fn, overMs, fullWindow };
    case "ratio":
      return { form: "ratio", num: of, all: other, overMs, minAll };
    case "increase":
      return { form: "increase", of, overMs };
    default:
      return { form: "age", of };
  }
}

/** Thresholds near what the form makes of values from 0 to 6. */
function levelOf(shape: Shape, drawn: Drawn["level"]): AlertLevel {
  const { op, forMs, recoverMs, isWindow } = drawn;
  const value = thresholdOf(shape, drawn.value);
  const recover = recoverMs === null ? null : { op: OPPOSITES[op], value, forMs: recoverMs };
  return isWindow
    ? makeLevel({ op, value, forMs: 0, mOf: [3, 5] })
    : makeLevel({ op, value, forMs, recover });
}

function thresholdOf({ form, fn, overMs }: Shape, drawn: number): number {
  if (form === "age-held" || form === "age-seen") return drawn * 30;
  if (form === "ratio") return drawn / 4;
  if (form === "div") return fn === "count" ? 1 : drawn / 2;
  const samples = overMs / TICK_MS;
  if (form === "agg" && fn === "sum") return Math.round((drawn * samples) / 2);
  if (form === "agg" && fn === "count") return Math.round((drawn * samples) / 6);
  return drawn;
}

function lay(metric: Metric, side: number, { shape, values, isThin }: Drawn): MadeSeries[] {
  const isRead = side === 0 || shape.form === "div" || shape.form === "ratio";
  if (!isRead) return [];
  const mine = values.slice(side * 2, side * 2 + (shape.instances === "none" ? 1 : 2));
  return mine.map(
    (drawn, i): MadeSeries => ({
      metric: metric.name,
      labels: shape.instances === "none" ? {} : { queue: i === 0 ? "fast" : "slow" },
      values: meant(
        shape,
        isThin && shape.instances !== "combined" ? thinned(drawn, 2 + side) : drawn,
      ),
    }),
  );
}

/** Beats hold the time at which they were made; counters only grow; an age is known from the beginning on. */
function meant({ form }: Shape, drawn: readonly (number | null)[]): (number | null)[] {
  if (form === "age-held")
    return drawn.map((value, tick) =>
      tick === 0 ? 0 : value === null ? null : ((tick - value) * TICK_MS) / 1_000,
    );
  if (form === "age-seen") return drawn.map((value, tick) => (tick === 0 ? 0 : value));
  return form === "increase"
    ? drawn.map((value, tick) => (value === null ? null : value + 7 * tick))
    : [...drawn];
}
