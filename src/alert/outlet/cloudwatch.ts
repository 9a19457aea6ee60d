/**
 * A level of an alert rule as a CloudWatch alarm, or the reason why CloudWatch cannot say it.
 * The alarms are the second pair of eyes: they watch what the runtime publishes once a minute to its
 * namespace, and page when it stops publishing (design 3, 16). Published means: gauges by value,
 * counters by their increase since the last time, all of them combined over their labels (cloudwatch-sink), so that
 * no alarm needs dimensions. Two things of a rule have no CloudWatch form and are left to our own
 * evaluator: `recover` (hysteresis) and `noData.after` (CloudWatch notices a gap at once).
 */
import { unreachable } from "../../base/assert.js";
import { formatDuration } from "../../base/duration.js";
import type {
  Aggregate,
  AlertLevel,
  AlertRule,
  Comparison,
  Metric,
  Selector,
  Signal,
} from "../../policy/policy.js";
import { selectorsOf } from "../../policy/selectors.js";

/** How often the runtime publishes; no alarm can look closer. */
const RESOLUTION_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

export interface CloudWatchContext {
  /** Where the runtime publishes, e.g. `AlgoBrain` (HB-aws-09). */
  readonly namespace: string;
  readonly metrics: Readonly<Record<string, Metric>>;
}

export interface CloudWatchSeries {
  readonly namespace: string;
  readonly metricName: string;
}

export interface CloudWatchStatistic extends CloudWatchSeries {
  /** `Average`, `Sum`, … or a percentile such as `p95`. */
  readonly statistic: string;
  readonly periodS: number;
}

export type CloudWatchQuery =
  | { readonly kind: "metric"; readonly metric: CloudWatchStatistic }
  | {
      readonly kind: "math";
      readonly expression: string;
      /** Named `m1`, `m2`, … in this order. */
      readonly metrics: readonly CloudWatchStatistic[];
    };

export type CloudWatchComparison =
  | "GreaterThanThreshold"
  | "GreaterThanOrEqualToThreshold"
  | "LessThanThreshold"
  | "LessThanOrEqualToThreshold";

export interface CloudWatchAlarm {
  readonly comparison: CloudWatchComparison;
  readonly threshold: number;
  readonly evaluationPeriods: number;
  /** So many of them must breach; null: all. */
  readonly datapointsToAlarm: number | null;
  readonly missingData: "breaching" | "notBreaching" | "ignore" | "missing";
  /** `noData: alert`: the state INSUFFICIENT_DATA is told too. */
  readonly tellsMissingData: boolean;
  readonly query: CloudWatchQuery;
}

export type CloudWatchForm =
  | { readonly ok: true; readonly alarm: CloudWatchAlarm }
  | { readonly ok: false; readonly reason: string };

const COMPARISONS: Readonly<Record<Comparison, CloudWatchComparison>> = {
  ">": "GreaterThanThreshold",
  ">=": "GreaterThanOrEqualToThreshold",
  "<": "LessThanThreshold",
  "<=": "LessThanOrEqualToThreshold",
};

const MISSING_DATA = {
  hold: "ignore",
  ok: "notBreaching",
  breach: "breaching",
  alert: "missing",
} as const;

const STATISTICS: Readonly<Record<Exclude<Aggregate, "count">, string>> = {
  avg: "Average",
  min: "Minimum",
  max: "Maximum",
  sum: "Sum",
  p50: "p50",
  p90: "p90",
  p95: "p95",
  p99: "p99",
  p999: "p99.9",
};

/** The alarm of one level; both it and the publisher take the names of series from here. */
export function cloudWatchAlarm(
  rule: AlertRule,
  level: AlertLevel,
  context: CloudWatchContext,
): CloudWatchForm {
  const refusal = whyNot(rule, context) ?? whyNotTicks(rule, level);
  if (refusal !== null) return { ok: false, reason: refusal };
  const { signal } = rule;
  if (signal.form === "burn")
    return { ok: false, reason: "an alarm has one window, and a burn rate needs two" };
  const alarm =
    signal.form === "age"
      ? deadManAlarm(signal.of, level, context)
      : thresholdAlarm(rule, level, queryOf(signal, lastPeriodOf(rule, level), context));
  const spanS = alarm.evaluationPeriods * periodOf(alarm.query);
  const spanMaxS = periodOf(alarm.query) < HOUR_S ? DAY_S : 7 * DAY_S;
  if (spanS <= spanMaxS) return { ok: true, alarm };
  const [span, most] = [formatDuration(spanS * 1000), formatDuration(spanMaxS * 1000)];
  return { ok: false, reason: `looks back ${span}, CloudWatch at most ${most}` };
}

/**
 * The published series of a metric: what the catalogue says, else the metric's name in capitals
 * (`algobrain.api.error_rate` is `ApiErrorRate`).
 */
export function cloudWatchSeries(
  { metric }: Pick<Selector, "metric">,
  context: CloudWatchContext,
): CloudWatchSeries {
  const given = context.metrics[metric]?.cloudwatch;
  const [, ...words] = metric.split(/[._]/);
  return {
    namespace: given?.namespace ?? context.namespace,
    metricName:
      given?.name ?? words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(""),
  };
}

function whyNot(rule: AlertRule, { metrics }: CloudWatchContext): string | null {
  const { signal } = rule;
  const { waitsFor = [] } = rule;
  if (waitsFor.length > 0) return `waits for ${waitsFor.join(", ")}, which nobody emits yet`;
  if (rule.by.length > 0)
    return `has one instance for each ${rule.by.join(", ")}; an alarm watches one series`;
  for (const selector of selectorsOf(signal)) {
    const metric = metrics[selector.metric];
    if (metric?.source !== "runtime" && metric?.cloudwatch === undefined)
      return `${selector.metric} is not published by the runtime, so its name in CloudWatch is not known`;
    if (Object.keys(selector.where).length > 0)
      return `picks series of ${selector.metric} by label; what is published is combined over labels`;
  }
  if (signal.form === "age") {
    const upward = rule.levels.every(({ op }) => op === ">" || op === ">=");
    return upward
      ? null
      : "an age below a value cannot be seen: CloudWatch sees only that beats stop";
  }
  if ("fn" in signal && signal.fn === "count")
    return "counts raw samples, of which CloudWatch sees one a minute";
  if ("overMs" in signal && signal.overMs % (RESOLUTION_S * 1000) !== 0)
    return `its window of ${formatDuration(signal.overMs)} is not a whole number of minutes`;
  return null;
}

/** Its points are our ticks only where both are as long: a window slides with every tick, a period does not. */
function whyNotTicks({ signal, everyMs }: AlertRule, { mOf }: AlertLevel): string | null {
  if (mOf === null) return null;
  const tick = formatDuration(everyMs);
  if (everyMs % (RESOLUTION_S * 1000) !== 0)
    return `counts ticks of ${tick}, of which CloudWatch sees one a minute`;
  return "overMs" in signal && signal.overMs !== everyMs
    ? `counts windows of ${formatDuration(signal.overMs)} each ${tick}; the periods of an alarm do not overlap`
    : null;
}

/** Looks at the same span as the rule does, window and `for` together. */
function thresholdAlarm(
  rule: AlertRule,
  level: AlertLevel,
  query: CloudWatchQuery,
): CloudWatchAlarm {
  const then = rule.noData?.then ?? "hold";
  return {
    comparison: COMPARISONS[level.op],
    threshold: level.value,
    ...periodsOf(rule, level, query),
    missingData: MISSING_DATA[then],
    tellsMissingData: then === "alert",
    query,
  };
}

function periodsOf(
  { signal }: AlertRule,
  { forMs, mOf }: AlertLevel,
  query: CloudWatchQuery,
): Pick<CloudWatchAlarm, "evaluationPeriods" | "datapointsToAlarm"> {
  if (mOf) return { evaluationPeriods: mOf[1], datapointsToAlarm: mOf[0] };
  const overMs = "overMs" in signal ? signal.overMs : 0;
  const periods = Math.ceil((overMs + forMs) / (periodOf(query) * 1000));
  return { evaluationPeriods: Math.max(1, periods), datapointsToAlarm: null };
}

/**
 * Missing is breaching: it pages without any process of ours. One period more than the age says,
 * since a beat that is published each minute may fall just outside one.
 */
function deadManAlarm(
  of: Selector,
  level: AlertLevel,
  context: CloudWatchContext,
): CloudWatchAlarm {
  const quietS = level.value + level.forMs / 1000;
  return {
    comparison: "LessThanThreshold",
    threshold: 1,
    evaluationPeriods: 1 + Math.ceil(quietS / RESOLUTION_S),
    datapointsToAlarm: null,
    missingData: "breaching",
    tellsMissingData: false,
    query: {
      kind: "metric",
      metric: {
        ...cloudWatchSeries(of, context),
        statistic: "SampleCount",
        periodS: RESOLUTION_S,
      },
    },
  };
}

/** Milliseconds of which a last value is the mean: a tick where ticks are counted. */
function lastPeriodOf({ everyMs }: AlertRule, { mOf }: AlertLevel): number {
  return mOf ? everyMs : RESOLUTION_S * 1000;
}

function queryOf(
  signal: Exclude<Signal, { form: "age" | "burn" }>,
  lastMs: number,
  context: CloudWatchContext,
): CloudWatchQuery {
  const read = (of: Selector, statistic: string, overMs: number): CloudWatchStatistic => ({
    ...cloudWatchSeries(of, context),
    statistic,
    periodS: overMs / 1000,
  });
  switch (signal.form) {
    case "last":
      return { kind: "metric", metric: read(signal.of, "Average", lastMs) };
    case "agg":
      return { kind: "metric", metric: read(signal.of, statisticOf(signal.fn), signal.overMs) };
    case "increase":
      return { kind: "metric", metric: read(signal.of, "Sum", signal.overMs) };
    case "rate":
      return math("m1 / PERIOD(m1)", [read(signal.of, "Sum", signal.overMs)]);
    case "ratio":
      // Division by zero gives no data point: that is how too few observations become missing data.
      return math(`m1 / IF(m2 >= ${Math.max(1, signal.minAll)}, m2, 0)`, [
        read(signal.num, "Sum", signal.overMs),
        read(signal.all, "Sum", signal.overMs),
      ]);
    case "div":
      return math("m1 / m2", [
        read(signal.num, statisticOf(signal.fn), signal.overMs),
        read(signal.den, statisticOf(signal.fn), signal.overMs),
      ]);
    default:
      return unreachable(signal);
  }
}

function math(expression: string, metrics: readonly CloudWatchStatistic[]): CloudWatchQuery {
  return { kind: "math", expression, metrics };
}

function statisticOf(fn: Aggregate): string {
  return fn === "count" ? "SampleCount" : STATISTICS[fn];
}

function periodOf(query: CloudWatchQuery): number {
  return query.kind === "metric" ? query.metric.periodS : query.metrics[0]!.periodS;
}
