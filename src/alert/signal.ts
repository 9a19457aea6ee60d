/**
 * Samples → one number for each instance of a rule, or no data (alerting.md 1.6). Knows the value
 * forms; knows nothing of thresholds, time that must pass, or people.
 */
import { unreachable } from "../base/assert.js";
import { MINUTE_MS } from "../base/duration.js";
import type { Aggregate, AlertRule, Metric, Selector, Signal } from "../policy/policy.js";
import { selectorsOf } from "../policy/selectors.js";
import { instanceKey, instanceLabels, type Labels } from "./instance.js";
import {
  aggregate,
  combineAt,
  combineOverTime,
  increaseOf,
  newestBefore,
  pointsIn,
  type Series,
  selectSeries,
  type Window,
} from "./series.js";

/** What a rule sees of one instance at one tick. Null is no data, which is neither good nor bad. */
export interface Reading {
  readonly instance: string;
  readonly labels: Labels;
  readonly value: number | null;
}

export type Metrics = Readonly<Record<string, Metric>>;

export interface SignalInput {
  readonly rule: AlertRule;
  readonly series: readonly Series[];
  readonly metrics: Metrics;
  readonly now: Date;
}

/** Samples a rule needs. `spanMs` null: only the newest of each series, however old. */
export interface SampleNeed {
  readonly metric: string;
  readonly spanMs: number | null;
}

/** A metric is bridged for four ticks, at least a minute: one lost scrape is not an outage. */
const BRIDGED_TICKS = 4;
const LOOKBACK_MIN_MS = MINUTE_MS;

/** How old a sample may be and still stand for "now", in milliseconds. */
function lookbackMs(rule: AlertRule): number {
  return Math.max(BRIDGED_TICKS * rule.everyMs, LOOKBACK_MIN_MS);
}

/** What must be read from the store before `readSignal` can judge the rule. */
export function sampleNeeds(rule: AlertRule): SampleNeed[] {
  return selectorsOf(rule.signal).map(({ metric }) => ({ metric, spanMs: spanOf(rule) }));
}

function spanOf(rule: AlertRule): number | null {
  const { signal } = rule;
  if (signal.form === "age") return null;
  return windowMs(signal) + lookbackMs(rule);
}

function windowMs(signal: Signal): number {
  if (signal.form === "burn") return signal.longMs;
  return "overMs" in signal ? signal.overMs : 0;
}

/** One reading for each instance that has series; a rule without `by` always has exactly one. */
export function readSignal(input: SignalInput): Reading[] {
  const { rule, series } = input;
  const groups = new Map<string, { labels: Labels; sides: [Series[], Series[]] }>();
  const groupOf = (labels: Labels) => {
    const key = instanceKey(labels);
    const group = groups.get(key) ?? { labels, sides: [[], []] };
    groups.set(key, group);
    return group;
  };
  if (rule.by.length === 0) groupOf({});
  for (const [side, selector] of selectorsOf(rule.signal).entries()) {
    for (const one of selectSeries(series, selector)) {
      if (!speaksOf(rule, one, input.now)) continue;
      groupOf(instanceLabels(one.labels, rule.by)).sides[side]!.push(one);
    }
  }
  return [...groups].map(([instance, { labels, sides }]) => ({
    instance,
    labels,
    value: numberFor(input, ...sides),
  }));
}

/** Whether the series has a sample that this rule may look at: one that ended long ago is no instance. */
function speaksOf(rule: AlertRule, series: Series, now: Date): boolean {
  const spanMs = spanOf(rule) ?? Number.POSITIVE_INFINITY;
  return newestBefore(series.points, now.getTime(), spanMs) !== undefined;
}

function numberFor(input: SignalInput, first: Series[], second: Series[]): number | null {
  const { rule } = input;
  const { signal } = rule;
  const t = input.now.getTime();
  switch (signal.form) {
    case "last":
      return combineAt(first, rule.combine, t, lookbackMs(rule));
    case "agg":
      return overWindow(input, signal, signal.of, first);
    case "rate":
    case "increase":
      return growth(rule, first, { from: t - signal.overMs, to: t }, signal.form);
    case "ratio":
      return share(input, signal, signal.num, first, second);
    case "div": {
      const den = overWindow(input, signal, signal.den, second);
      const num = overWindow(input, signal, signal.num, first);
      return num === null || den === null || den === 0 ? null : num / den;
    }
    case "age":
      return age(input, signal.of, first);
    case "burn":
      return burnRate(input, signal, first, second);
    default:
      return unreachable(signal);
  }
}

function overWindow(
  input: SignalInput,
  how: { readonly fn: Aggregate; readonly overMs: number; readonly fullWindow: boolean },
  selector: Selector,
  series: readonly Series[],
): number | null {
  const { rule } = input;
  const to = input.now.getTime();
  const window = { from: to - how.overMs, to };
  // Raw observations have no value between two of them: they are pooled, never carried forward.
  if (input.metrics[selector.metric]?.kind === "histogram") {
    return aggregate(how.fn, pooled(series, window));
  }
  const points = combineOverTime(series, rule.combine, window, lookbackMs(rule));
  const moments = points.map((point) => point.at);
  if (how.fullWindow && !isCovered(series, moments, window, lookbackMs(rule))) return null;
  return aggregate(
    how.fn,
    points.map((point) => point.value),
  );
}

function pooled(series: readonly Series[], window: Window): number[] {
  return series.flatMap((one) => pointsIn(one.points, window)).map((point) => point.value);
}

/** Known at the window's start, and no hole inside it that is wider than what we bridge. */
function isCovered(
  series: readonly Series[],
  moments: readonly number[],
  window: Window,
  holeMaxMs: number,
): boolean {
  const startIsKnown = series.some((one) => newestBefore(one.points, window.from, holeMaxMs));
  const borders = [window.from, ...moments, window.to];
  return startIsKnown && borders.every((at, i) => i === 0 || at - borders[i - 1]! < holeMaxMs);
}

function growth(
  rule: AlertRule,
  series: readonly Series[],
  window: Window,
  form: "rate" | "increase",
): number | null {
  const values = series
    .map((one) => increaseOf(one.points, window, lookbackMs(rule)))
    .filter((one) => one !== null)
    .map(({ grown, seconds }) => (form === "rate" ? grown / seconds : grown));
  return aggregate(rule.combine, values);
}

/** The smaller of both windows, in multiples of the budget 1 − slo. Only the long one must hold `minAll`. */
function burnRate(
  input: SignalInput,
  signal: Extract<Signal, { form: "burn" }>,
  failed: readonly Series[],
  total: readonly Series[],
): number | null {
  const { bad, all, slo, longMs, shortMs, minAll } = signal;
  const long = share(input, { all, overMs: longMs, minAll }, bad, failed, total);
  const short = share(input, { all, overMs: shortMs, minAll: 1 }, bad, failed, total);
  return long === null || short === null ? null : Math.min(long, short) / (1 - slo);
}

/** 0/0 is no data, not 0 and not 100 %; too few to judge is no data as well. */
function share(
  input: SignalInput,
  signal: { readonly all: Selector; readonly overMs: number; readonly minAll: number },
  part: Selector,
  num: readonly Series[],
  all: readonly Series[],
): number | null {
  const denominator = volume(input, signal, signal.all, all);
  if (denominator === null || denominator <= 0 || denominator < signal.minAll) return null;
  // A class that never occurred has no series yet: none of them, out of many.
  return (volume(input, signal, part, num) ?? 0) / denominator;
}

/** How many happened in the window, over all series: growth of counters, sum of counts. */
function volume(
  input: SignalInput,
  signal: { readonly overMs: number },
  selector: Selector,
  series: readonly Series[],
): number | null {
  const to = input.now.getTime();
  const window = { from: to - signal.overMs, to };
  if (input.metrics[selector.metric]?.kind !== "counter") {
    return aggregate("sum", pooled(series, window));
  }
  return growth({ ...input.rule, combine: "sum" }, series, window, "increase");
}

/** Seconds since the newest sample, or since the moment it holds (in seconds since the epoch). */
function age(input: SignalInput, selector: Selector, series: readonly Series[]): number | null {
  const t = input.now.getTime();
  const holdsMoment = input.metrics[selector.metric]?.unit === "timestamp";
  const ages = series
    .map((one) => newestBefore(one.points, t, Number.POSITIVE_INFINITY))
    .filter((point) => point !== undefined)
    .map((point) => t / 1_000 - (holdsMoment ? point.value : point.at / 1_000));
  // Of several processes that beat, the freshest counts, unless the rule asks for the stalest.
  return aggregate(input.rule.combine === "max" ? "max" : "min", ages);
}
