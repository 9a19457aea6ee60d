/**
 * What the runtime publishes to CloudWatch (HB-aws-09): once a minute a log line in the embedded metric format, of
 * which CloudWatch Logs makes metrics (docs.aws.amazon.com, "Specification: Embedded metric format"). So it takes no
 * library, no permission and no call of ours. The alarms ask for exactly these names: alert/outlet/cloudwatch.
 */
import type { Clock } from "../../base/clock.js";
import { MINUTE_MS } from "../../base/duration.js";
import type { JsonObject } from "../../base/json.js";
import type { Unit } from "../../policy/policy.js";
import type { ExportedSample, MetricsSink } from "../port.js";
import { type CloudWatchContext, cloudWatchSeries } from "./cloudwatch.js";

/** Of one line. */
const METRICS_MAX = 100;

/** Parts of a whole add up; of shares the mean, and of times the worst, stands for all. */
const COMBINED: Readonly<Record<Unit, "sum" | "avg" | "max">> = {
  count: "sum",
  bytes: "sum",
  perMinute: "sum",
  ratio: "avg",
  ms: "max",
  s: "max",
  timestamp: "max",
};

const UNITS: Readonly<Record<Unit, string>> = {
  count: "Count",
  bytes: "Bytes",
  ms: "Milliseconds",
  s: "Seconds",
  ratio: "None",
  perMinute: "None",
  timestamp: "None",
};

export interface CloudWatchSinkOptions {
  readonly context: () => CloudWatchContext;
  readonly clock: Clock;
  /** Takes the fields of one log line. */
  readonly write: (fields: JsonObject) => void;
}

interface Figure {
  readonly namespace: string;
  readonly name: string;
  readonly unit: Unit;
  readonly value: number;
}

/** Rounds come more often than a minute: the first of each minute is published, and all that counters grew by since. */
export function createCloudWatchSink({
  context,
  clock,
  write,
}: CloudWatchSinkOptions): MetricsSink {
  const memory = new Memory();
  let minute = Number.NEGATIVE_INFINITY;
  return {
    send: (samples) => {
      const now = clock.now().getTime();
      if (Math.floor(now / MINUTE_MS) === minute) return;
      minute = Math.floor(now / MINUTE_MS);
      const figures = figuresOf(samples, context(), memory);
      for (let i = 0; i < figures.length; i += METRICS_MAX)
        write(lineOf(figures.slice(i, i + METRICS_MAX), now));
    },
    // It is published as a figure each minute; that it stops is the alarm.
    heartbeat: () => {},
    close: async () => {},
  };
}

/** What each series held when it was last published. */
class Memory {
  readonly #last = new Map<string, number>();

  /** Null: nothing to publish. A counter that fell began anew; a moment that did not move on is no new beat. */
  news({ metric, kind, labels, value }: ExportedSample, unit: Unit): number | null {
    if (kind === "gauge" && unit !== "timestamp") return value;
    const series = JSON.stringify([metric, Object.entries(labels).sort()]);
    const before = this.#last.get(series);
    this.#last.set(series, value);
    if (kind === "gauge") return value === before ? null : value;
    if (before === undefined) return null;
    return value < before ? value : value - before;
  }
}

function figuresOf(
  samples: readonly ExportedSample[],
  context: CloudWatchContext,
  memory: Memory,
): Figure[] {
  const values = new Map<string, number[]>();
  for (const sample of samples) {
    const unit = context.metrics[sample.metric]?.unit;
    // Buckets are parts of one figure that CloudWatch cannot put together.
    if (unit === undefined || sample.kind === "histogram" || !Number.isFinite(sample.value))
      continue;
    const value = memory.news(sample, unit);
    if (value !== null) values.set(sample.metric, [...(values.get(sample.metric) ?? []), value]);
  }
  return [...values].map(([metric, all]) => {
    const { namespace, metricName } = cloudWatchSeries({ metric }, context);
    const { unit } = context.metrics[metric]!;
    return { namespace, name: metricName, unit, value: combine(all, COMBINED[unit]) };
  });
}

function combine(values: readonly number[], how: "sum" | "avg" | "max"): number {
  if (how === "max") return values.reduce((most, one) => Math.max(most, one));
  const sum = values.reduce((total, one) => total + one, 0);
  return how === "sum" ? sum : sum / values.length;
}

/** Without dimensions: an alarm watches the whole. */
function lineOf(figures: readonly Figure[], now: number): JsonObject {
  const namespaces = [...new Set(figures.map(({ namespace }) => namespace))];
  const directives = namespaces.map((namespace) => ({
    Namespace: namespace,
    Dimensions: [[]],
    Metrics: figures
      .filter((figure) => figure.namespace === namespace)
      .map(({ name, unit }) => ({ Name: name, Unit: UNITS[unit] })),
  }));
  return {
    _aws: { Timestamp: now, CloudWatchMetrics: directives },
    ...Object.fromEntries(figures.map(({ name, value }) => [name, value])),
  };
}
