/**
 * A level of an alert rule in PromQL, or the reason why it has no form there. What holds for all of them: Prometheus
 * bridges gaps of up to five minutes (its look-back), we bridge four ticks; its windows are closed on both ends before
 * version 3, ours are half-open. test/peers/promtool.peer.ts compares the rest, alert by alert.
 */
import { unreachable } from "../../base/assert.js";
import { formatDuration, HOUR_MS } from "../../base/duration.js";
import type { AlertLevel, AlertRule, Comparison, Selector, Signal } from "../../policy/policy.js";
import { selectorsOf } from "../../policy/selectors.js";
import {
  aggregated,
  combined,
  isSingle,
  type Metrics,
  numberText,
  overTime,
  SHARES,
  type Source,
  selectorText,
  sourceOf,
} from "./promql.js";

export type PrometheusExpression =
  | {
      readonly ok: true;
      readonly expr: string;
      readonly forMs: number;
      /** Null: it ends with the first good evaluation. */
      readonly keepFiringForMs: number | null;
      /** What holds here and not there, a sentence each. Empty: the same alerts at the same times. */
      readonly loose: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

export function prometheusExpression(
  rule: AlertRule,
  level: AlertLevel,
  metrics: Metrics,
): PrometheusExpression {
  const refusal = whyNot(rule, level, metrics);
  if (refusal !== null) return { ok: false, reason: refusal };
  const value = readingOf(rule, rule.signal, metrics);
  const threshold = numberText(level.value * value.factor);
  return {
    ok: true,
    expr: value.text(`${level.op} ${threshold}`),
    forMs: level.forMs,
    keepFiringForMs: isOpposite(level) ? (level.recover?.forMs ?? null) : null,
    loose: [...value.loose, ...looseOf(rule, level)],
  };
}

/** Labels that the rule file gives to alerts: instances that differ by one of them would become the same alert. */
const ALERT_LABELS: readonly string[] = [
  ...["alertname", "system", "environment", "level", "severity"],
];

function whyNot(rule: AlertRule, level: AlertLevel, metrics: Metrics): string | null {
  const { waitsFor = [] } = rule;
  if (waitsFor.length > 0) return `waits for ${waitsFor.join(", ")}, which nobody emits yet`;
  if (level.mOf) return "counts ticks that are over; Prometheus only knows how long it has lasted";
  const taken = rule.by.find((label) => ALERT_LABELS.includes(label));
  if (taken !== undefined)
    return `has an instance for each ${taken}, which is a label of every alert there`;
  for (const { metric } of selectorsOf(rule.signal))
    if (metrics[metric]?.source !== "runtime")
      return `${metric} is not measured by the runtime, so it is not exposed for Prometheus`;
  return null;
}

function looseOf(rule: AlertRule, level: AlertLevel): string[] {
  const found: string[] = [];
  if (level.recover && !isOpposite(level))
    found.push("ends at its threshold; the recovery line is our evaluator's alone");
  const then = rule.noData?.then;
  if (then === "hold") found.push("without data it ends; our evaluator holds it");
  if (then === "breach" || then === "alert")
    found.push(
      "missing data is told only by the rule beside it, for the whole and not an instance",
    );
  return found;
}

const OPPOSITES: Readonly<Record<Comparison, Comparison>> = {
  ">": "<=",
  ">=": "<",
  "<": ">=",
  "<=": ">",
};

/** Whether it recovers where it fires, only later: `keep_firing_for`. */
function isOpposite({ op, value, recover }: AlertLevel): boolean {
  return recover !== null && recover.value === value && recover.op === OPPOSITES[op];
}

interface Value {
  /** Our threshold times this is theirs. */
  readonly factor: number;
  readonly loose: readonly string[];
  /** @param compare such as `> 0.9` */
  readonly text: (compare: string) => string;
}

function readingOf(rule: AlertRule, signal: Signal, metrics: Metrics): Value {
  switch (signal.form) {
    case "last":
      return lastValue(rule, sourceOf(signal.of, metrics));
    case "agg":
      return windowValue(rule, signal, sourceOf(signal.of, metrics));
    case "rate":
    case "increase":
      return growthValue(rule, signal, sourceOf(signal.of, metrics));
    case "ratio":
      return shareValue(rule, signal, metrics);
    case "div":
      return quotientValue(rule, signal, metrics);
    case "age":
      return ageValue(rule, signal.of, metrics);
    case "burn":
      return burnValue(rule, signal, metrics);
    default:
      return unreachable(signal);
  }
}

function lastValue(rule: AlertRule, source: Source): Value {
  const read = combined(rule, source, selectorText(source));
  return { factor: source.factor, loose: [], text: (compare) => `${read} ${compare}` };
}

type Windowed = Pick<Extract<Signal, { form: "agg" }>, "fn" | "overMs" | "fullWindow">;

function windowValue(rule: AlertRule, how: Windowed, source: Source): Value {
  const read = windowText(rule, how, source);
  return {
    factor: how.fn === "count" ? 1 : source.factor,
    loose: windowLoose(rule, how, [source]),
    text: (compare) => `${read} ${compare}${isKnownSince(rule, how, source)}`,
  };
}

/** Time before series where that is the same, since a range of a plain selector is read from what was stored. */
function windowText(rule: AlertRule, how: Windowed, source: Source): string {
  const { fn, overMs } = how;
  const range = formatDuration(overMs);
  if (source.metric.kind === "histogram") return histogramText(rule, how, source);
  if (commutes(rule, how, source))
    return combined(rule, source, overTime(fn, `${selectorText(source)}[${range}]`));
  const together = combined(rule, source, selectorText(source));
  return overTime(fn, `(${together})[${range}:${formatDuration(rule.everyMs)}]`);
}

/** Sums and means may be taken in either order while all series have samples; so may the extreme of an extreme. */
function commutes(rule: AlertRule, { fn }: Windowed, source: Source): boolean {
  if (isSingle(rule, source)) return true;
  const isLinear = (name: string) => name === "avg" || name === "sum";
  return isLinear(fn) ? isLinear(rule.combine) : fn === rule.combine;
}

function histogramText(rule: AlertRule, { fn, overMs }: Windowed, source: Source): string {
  const range = `[${formatDuration(overMs)}]`;
  if (fn === "count")
    return combined(rule, source, `increase(${selectorText(source, "_count")}${range})`);
  const labels = [...new Set(["le", ...source.metric.labels])];
  const buckets = aggregated("max", labels, `rate(${selectorText(source, "_bucket")}${range})`);
  const together = aggregated("sum", ["le", ...rule.by], buckets);
  return `histogram_quantile(${SHARES[fn]}, ${together})`;
}

const INTERPOLATED = "percentiles are interpolated; ours are a value that was really seen";
const EXTRAPOLATED = "growth is extrapolated to the borders of the window";

function windowLoose(rule: AlertRule, how: Windowed, sources: readonly Source[]): string[] {
  if (sources.some(({ metric }) => metric.kind === "histogram")) return [EXTRAPOLATED];
  return [
    ...(how.fn in SHARES ? [INTERPOLATED] : []),
    ...(sources.every((source) => commutes(rule, how, source))
      ? []
      : [`combined series are looked at each ${formatDuration(rule.everyMs)}`]),
  ];
}

/** A full window: what was there when it began. */
function isKnownSince(rule: AlertRule, how: Windowed, source: Source): string {
  if (!how.fullWindow || source.metric.kind === "histogram") return "";
  const then = `${selectorText(source)} offset ${formatDuration(how.overMs)}`;
  return ` and ${combined(rule, source, then)}`;
}

function growthValue(
  rule: AlertRule,
  { form, overMs }: Extract<Signal, { form: "rate" | "increase" }>,
  source: Source,
): Value {
  const isHistogram = source.metric.kind === "histogram";
  const read = combined(rule, source, growthText(form, overMs, source));
  return {
    factor: isHistogram ? 1 : source.factor,
    loose: [EXTRAPOLATED],
    text: (compare) => `${read} ${compare}`,
  };
}

function growthText(form: "rate" | "increase", overMs: number, source: Source): string {
  const suffix = source.metric.kind === "histogram" ? "_count" : "";
  return `${form}(${selectorText(source, suffix)}[${formatDuration(overMs)}])`;
}

/** How many happened in the window: growth of counters, sum of counts. Of an instance always the sum. */
function volumeText(rule: AlertRule, overMs: number, source: Source): string {
  const grown =
    source.metric.kind === "gauge"
      ? `sum_over_time(${selectorText(source)}[${formatDuration(overMs)}])`
      : growthText("increase", overMs, source);
  return combined({ ...rule, combine: "sum" }, source, grown);
}

interface Share {
  readonly part: Source;
  readonly all: Source;
  readonly overMs: number;
  readonly minAll: number;
}

/** A class that never occurred has no series yet: none of them, out of many. Too few to judge is no data. */
function shareText(rule: AlertRule, { part, all, overMs, minAll }: Share): string {
  const whole = volumeText(rule, overMs, all);
  const least = minAll > 0 ? `>= ${numberText(minAll)}` : "> 0";
  return `(${volumeText(rule, overMs, part)} or ${whole} * 0) / (${whole} ${least})`;
}

const isGauge = ({ metric }: Source): boolean => metric.kind === "gauge";

function shareValue(
  rule: AlertRule,
  signal: Extract<Signal, { form: "ratio" }>,
  metrics: Metrics,
): Value {
  const [part, all] = [sourceOf(signal.num, metrics), sourceOf(signal.all, metrics)];
  const read = shareText(rule, { part, all, overMs: signal.overMs, minAll: signal.minAll });
  return {
    factor: part.factor / all.factor,
    loose: isGauge(part) && isGauge(all) ? [] : [EXTRAPOLATED],
    text: (compare) => `${read} ${compare}`,
  };
}

function quotientValue(
  rule: AlertRule,
  signal: Extract<Signal, { form: "div" }>,
  metrics: Metrics,
): Value {
  const sources = [sourceOf(signal.num, metrics), sourceOf(signal.den, metrics)] as const;
  const [num, den] = sources.map((source) => windowText(rule, signal, source));
  const known = sources.map((source) => isKnownSince(rule, signal, source)).join("");
  return {
    factor: sources[0].factor / sources[1].factor,
    loose: windowLoose(rule, signal, sources),
    text: (compare) => `${num} / (${den} != 0) ${compare}${known}`,
  };
}

/** What has been silent for longer is not known to Prometheus any more. */
function reachOf(rule: AlertRule): number {
  const quietMs = Math.max(...rule.levels.map(({ value, forMs }) => value * 1_000 + forMs));
  return Math.max(HOUR_MS, Math.ceil((4 * quietMs) / HOUR_MS) * HOUR_MS);
}

const SCRAPED = "the time of a sample is that of its scrape";

/** The freshest counts, unless the rule asks for the stalest. */
function ageValue(rule: AlertRule, of: Selector, metrics: Metrics): Value {
  const source = sourceOf(of, metrics);
  const reach = formatDuration(reachOf(rule));
  const beats =
    source.metric.unit === "timestamp"
      ? `last_over_time(${selectorText(source)}[${reach}])`
      : `max_over_time(timestamp(${selectorText(source)})[${reach}:${formatDuration(rule.everyMs)}])`;
  // Of the same series under two addresses the freshest, in any case.
  const labels = isSingle(rule, source) ? rule.by : source.metric.labels;
  const freshest = aggregated("max", labels, beats);
  const wanted = rule.combine === "max" ? "min" : "max";
  const read = isSingle(rule, source) ? freshest : aggregated(wanted, rule.by, freshest);
  const forgotten = `forgotten ${reach} after the last sample, and unknown when there never was one`;
  return {
    factor: 1,
    loose: source.metric.unit === "timestamp" ? [forgotten] : [forgotten, SCRAPED],
    text: (compare) => `time() - ${read} ${compare}`,
  };
}

/** Both windows must be over: the smaller of two shares is over exactly then. */
function burnValue(
  rule: AlertRule,
  signal: Extract<Signal, { form: "burn" }>,
  metrics: Metrics,
): Value {
  const [part, all] = [sourceOf(signal.bad, metrics), sourceOf(signal.all, metrics)];
  const long = shareText(rule, { part, all, overMs: signal.longMs, minAll: signal.minAll });
  const short = shareText(rule, { part, all, overMs: signal.shortMs, minAll: 1 });
  return {
    factor: (1 - signal.slo) * (part.factor / all.factor),
    loose: [EXTRAPOLATED],
    text: (compare) => `${long} ${compare} and ${short} ${compare}`,
  };
}
