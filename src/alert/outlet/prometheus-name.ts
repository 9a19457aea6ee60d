/**
 * Our dotted names as the world of Prometheus writes them (prometheus.io/docs/practices/naming): underscores, a suffix
 * with the base unit, `_total` on counters. EP-24, the rule file, the Grafana dashboard and pulled history take the
 * names from here, so that a query can never miss what we expose.
 */
import type { Metric } from "../../policy/policy.js";

export interface PrometheusName {
  /** `algobrain.api.latency_p95_ms` → `algobrain_api_latency_p95_seconds`. A histogram's: without `_bucket`, `_sum`, `_count`. */
  readonly name: string;
  /** Our value times this is Prometheus': milliseconds become seconds. Bounds in `le` are scaled as well. */
  readonly factor: number;
}

interface UnitSuffix {
  readonly suffix: string;
  /** What the dotted name already says of its unit, and the suffix replaces. */
  readonly said: RegExp;
  readonly factor: number;
}

const PLAIN: UnitSuffix = { suffix: "", said: /$/, factor: 1 };

const UNIT_SUFFIXES: Readonly<Record<Metric["unit"], UnitSuffix>> = {
  ms: { suffix: "_seconds", said: /_(ms|milliseconds)$/, factor: 0.001 },
  s: { suffix: "_seconds", said: /_(s|seconds)$/, factor: 1 },
  ratio: { suffix: "_ratio", said: /_(rate|ratio)$/, factor: 1 },
  bytes: { suffix: "_bytes", said: /_bytes$/, factor: 1 },
  timestamp: {
    suffix: "_timestamp_seconds",
    said: /_(at|timestamp|timestamp_seconds)$/,
    factor: 1,
  },
  perMinute: { suffix: "_per_minute", said: /_per_minute$/, factor: 1 },
  count: PLAIN,
};

export function prometheusName(metric: Pick<Metric, "name" | "unit" | "kind">): PrometheusName {
  const { suffix, said, factor } = UNIT_SUFFIXES[metric.unit];
  // `_count` is what a histogram's number of observations is called there: error_count is errors.
  const words = metric.name
    .replaceAll(/[^a-zA-Z0-9]/g, "_")
    .replace(/_total$/, "")
    .replace(/_count$/, "s");
  const total = metric.kind === "counter" ? "_total" : "";
  return { name: `${words.replace(said, "")}${suffix}${total}`, factor };
}
