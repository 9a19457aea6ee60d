/**
 * A level of an alert rule as the query of a Datadog monitor (docs.datadoghq.com/monitors/types/metric), or the reason
 * why it has none. One number over one window is compared there: `for` has a form only where a last value must hold,
 * as the least or the greatest of that time. Names and units are ours; what is sent stands in datadog-series.
 */
import { unreachable } from "../../base/assert.js";
import { formatDuration, MINUTE_MS } from "../../base/duration.js";
import type { Aggregate, AlertLevel, AlertRule, Selector, Signal } from "../../policy/policy.js";
import { selectorsOf } from "../../policy/selectors.js";
import { datadogSeries } from "./datadog-series.js";
import { type Metrics, numberText } from "./promql.js";

/** What is sent as a service check and not as a number: a stopped sender is what it is about. */
export const HEARTBEAT = "algobrain.orchestrator.heartbeat";

export type DatadogQuery =
  | {
      readonly ok: true;
      readonly type: "metric alert" | "service check";
      /** Up to the comparison: equal for levels that can share a monitor. */
      readonly measured: string;
      readonly query: string;
      readonly loose: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

export function datadogQuery(rule: AlertRule, level: AlertLevel, metrics: Metrics): DatadogQuery {
  const refusal = whyNot(rule, level, metrics);
  if (refusal !== null) return { ok: false, reason: refusal };
  const { signal } = rule;
  if (signal.form === "burn")
    return { ok: false, reason: "a burn rate needs two windows; Datadog has objectives for it" };
  if (signal.form === "age") return heartbeatQuery();
  const { window, over, text, loose } = measure(rule, signal, level, metrics);
  const measured = `${window}(last_${windowText(over)}):${text}`;
  const query = `${measured} ${level.op} ${numberText(level.value)}`;
  return {
    ok: true,
    type: "metric alert",
    measured,
    query,
    loose: [...loose, ...recoveryLoose(level)],
  };
}

function whyNot(rule: AlertRule, level: AlertLevel, metrics: Metrics): string | null {
  const { signal, waitsFor = [] } = rule;
  if (waitsFor.length > 0) return `waits for ${waitsFor.join(", ")}, which nobody emits yet`;
  if (level.mOf) return "counts ticks that are over; a monitor compares one number of a window";
  for (const { metric } of selectorsOf(signal))
    if (metrics[metric]?.source !== "runtime")
      return `${metric} is not measured by the runtime, so it is not sent to Datadog`;
  for (const { where } of selectorsOf(signal))
    for (const [label, value] of Object.entries(where))
      if (!TAG_VALUE.test(value))
        return `${label} is ${JSON.stringify(value)}, which no tag of Datadog's can be`;
  return whyNoForm(rule, level, metrics);
}

/** What arrives there as it was sent, and ends no scope of a query. */
const TAG_VALUE = /^[a-z0-9_./-]+$/;

function whyNoForm({ signal }: AlertRule, level: AlertLevel, metrics: Metrics): string | null {
  if (signal.form === "age")
    return signal.of.metric === HEARTBEAT ? null : "a metric query knows no time that has passed";
  if ("fn" in signal && SPACE_AND_TIME[signal.fn] === undefined)
    return "percentiles and counts of samples are not sent: Datadog would see one value each 15 s";
  if (selectorsOf(signal).some(({ metric }) => metrics[metric]?.kind === "histogram"))
    return "its buckets are sent as counts, of which a monitor makes no percentile";
  return windowProblem(signal, level);
}

function windowProblem(signal: Signal, { forMs }: AlertLevel): string | null {
  if (!("overMs" in signal))
    return forMs % MINUTE_MS === 0
      ? null
      : `${formatDuration(forMs)} is not a whole number of minutes`;
  const { overMs } = signal;
  if (overMs % MINUTE_MS !== 0) return `${formatDuration(overMs)} is not a whole number of minutes`;
  if (forMs === 0) return null;
  const nearest = windowText(overMs + forMs);
  return `its number over ${formatDuration(overMs)} must hold for ${formatDuration(forMs)} more; the nearest is one over ${nearest}`;
}

const SPACE_AND_TIME: Readonly<Partial<Record<Aggregate, string>>> = {
  avg: "avg",
  min: "min",
  max: "max",
  sum: "sum",
};

interface Measured {
  /** How time becomes one number. */
  readonly window: string;
  readonly over: number;
  readonly text: string;
  readonly loose: readonly string[];
}

function measure(
  rule: AlertRule,
  signal: Exclude<Signal, { form: "age" | "burn" }>,
  level: AlertLevel,
  metrics: Metrics,
): Measured {
  const gauge = (of: Selector) => seriesText(rule, of, metrics, "gauge");
  const count = (of: Selector) => seriesText(rule, of, metrics, "counter");
  switch (signal.form) {
    case "last":
      return { ...heldFor(level), text: gauge(signal.of) };
    case "agg":
      return { window: signal.fn, over: signal.overMs, text: gauge(signal.of), loose: [] };
    case "increase":
      return { ...summed(signal.overMs), text: `${count(signal.of)}.as_count()` };
    case "rate":
      return {
        ...{ window: "avg", over: signal.overMs, loose: [] },
        text: `${count(signal.of)}.as_rate()`,
      };
    case "ratio":
      return {
        ...summed(signal.overMs),
        text: `${count(signal.num)}.as_count() / ${count(signal.all)}.as_count()`,
        loose: [`fewer than ${signal.minAll} count as well`],
      };
    case "div":
      return {
        ...{
          window: signal.fn,
          over: signal.overMs,
          loose: ["divides each moment, not the whole"],
        },
        text: `${gauge(signal.num)} / ${gauge(signal.den)}`,
      };
    default:
      return unreachable(signal);
  }
}

function summed(over: number): Omit<Measured, "text"> {
  return { window: "sum", over, loose: [] };
}

/** That a value stays over a line is said of its least. */
function heldFor({ op, forMs }: AlertLevel): Omit<Measured, "text"> {
  const isUpward = op === ">" || op === ">=";
  if (forMs > 0) return { window: isUpward ? "min" : "max", over: forMs, loose: [] };
  return {
    ...{ window: isUpward ? "max" : "min", over: MINUTE_MS },
    loose: ["lasts a minute at least: no shorter window is looked at"],
  };
}

/**
 * `avg:algobrain.worker.success_rate{*} by {worker_type}`. Counters are sent by what they grew and always added up; a
 * single series of anything else is its own mean.
 */
function seriesText(
  rule: AlertRule,
  { metric, where }: Selector,
  metrics: Metrics,
  kind: "gauge" | "counter",
): string {
  const series = datadogSeries(metrics[metric]!, [...rule.by, ...Object.keys(where)]);
  const isSingle = series.labels.every((label) => rule.by.includes(label) || label in where);
  const scope = Object.entries(where).map(([label, value]) => `${label}:${value}`);
  const by = rule.by.length === 0 ? "" : ` by {${rule.by.join(",")}}`;
  const space = kind === "counter" ? "sum" : isSingle ? "avg" : rule.combine;
  return `${space}:${series.name}{${scope.length === 0 ? "*" : scope.join(",")}}${by}`;
}

function recoveryLoose({ recover }: AlertLevel): string[] {
  return recover && recover.forMs > 0 ? ["recovers at once when it is back over its line"] : [];
}

/**
 * The handbook's query names the check and no window. A check has a status and no age: that it stays away is
 * told as missing data.
 */
function heartbeatQuery(): DatadogQuery {
  const measured = `"${HEARTBEAT}".over("*").last(2).count_by_status()`;
  const loose = ["silence is noticed after two minutes, and as missing data"];
  return { ok: true, type: "service check", measured, query: measured, loose };
}

const WINDOW_UNITS = [
  ["d", 1_440],
  ["h", 60],
  ["m", 1],
] as const;

/** `5m`, `2h`, `1d`: one unit. */
function windowText(ms: number): string {
  const minutes = Math.max(1, Math.ceil(ms / MINUTE_MS));
  const [unit, size] = WINDOW_UNITS.find(([, one]) => minutes % one === 0)!;
  return `${minutes / size}${unit}`;
}
