/** Words of PromQL, put together from ours. Names and units come from prometheus-name. */
import type { Aggregate, AlertRule, Metric, Selector } from "../../policy/policy.js";
import { prometheusName } from "./prometheus-name.js";

export type Metrics = Readonly<Record<string, Metric>>;

/** What a selector finds, and how it is named there. */
export interface Source {
  readonly metric: Metric;
  readonly where: Selector["where"];
  readonly factor: number;
  readonly name: string;
}

/** Every metric of a rule is of the catalogue: `policy check` has seen to it. */
export function sourceOf({ metric, where }: Selector, metrics: Metrics): Source {
  const known = metrics[metric];
  if (!known) throw new TypeError(`${metric} is not in the catalogue of metrics`);
  return { metric: known, where, ...prometheusName(known) };
}

/** `algobrain_jobs_pending{worker_type="index"}`. */
export function selectorText({ name, where }: Source, suffix = ""): string {
  const matchers = Object.entries(where).map(
    ([label, value]) => `${label}=${JSON.stringify(value)}`,
  );
  return matchers.length === 0 ? `${name}${suffix}` : `${name}${suffix}{${matchers.join(", ")}}`;
}

/**
 * The series of an instance as one. Each process that is scraped shows the same series under its own address, so equal
 * ones are made one by their greatest before they are added up.
 */
export function combined(rule: AlertRule, source: Source, inner: string): string {
  const labels = source.metric.labels.filter((label) => label !== "le");
  return isSingle(rule, source)
    ? aggregated("max", rule.by, inner)
    : aggregated(rule.combine, rule.by, aggregated("max", labels, inner));
}

/** Whether an instance is one series, so that combining is nothing. */
export function isSingle(rule: AlertRule, { metric, where }: Source): boolean {
  return metric.labels.every((label) => rule.by.includes(label) || label in where);
}

export function aggregated(operator: string, by: readonly string[], inner: string): string {
  return by.length === 0 ? `${operator}(${inner})` : `${operator} by (${by.join(", ")}) (${inner})`;
}

/** As short as it is exact to twelve digits: a product of binary fractions is off by a last bit. */
export function numberText(value: number): string {
  return String(Number(value.toPrecision(12)));
}

/** Functions over a range; percentiles of gauges are interpolated there and by nearest rank here. */
export function overTime(fn: Aggregate, range: string): string {
  const share = SHARES[fn];
  return share === undefined
    ? `${fn}_over_time(${range})`
    : `quantile_over_time(${share}, ${range})`;
}

export const SHARES: Readonly<Partial<Record<Aggregate, number>>> = {
  p50: 0.5,
  p90: 0.9,
  p95: 0.95,
  p99: 0.99,
  p999: 0.999,
};
