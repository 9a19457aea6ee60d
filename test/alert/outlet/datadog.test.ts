/** A rule as a monitor's query, or the reason why not. Those of the handbook: test/handbook/monitors.test.ts. */
import { describe, expect, test } from "vitest";
import { datadogQuery } from "../../../src/alert/outlet/datadog-query.js";
import type { AlertLevel, AlertRule, Signal } from "../../../src/policy/policy.js";
import { makeLevel, makeMetric, makeRule } from "../../support/make-policy.js";

const MINUTE_MS = 60_000;
const METRICS = Object.fromEntries(
  [
    makeMetric("algobrain.jobs.pending", { labels: ["worker_type"] }),
    makeMetric("algobrain.worker.throughput", { labels: ["worker_type"] }),
    makeMetric("algobrain.jobs.failed_total", { kind: "counter", labels: ["worker_type"] }),
    makeMetric("algobrain.jobs.ended_total", { kind: "counter", labels: ["worker_type"] }),
    makeMetric("algobrain.backup.verified_at", { unit: "timestamp" }),
    makeMetric("algobrain.api.request_duration", { unit: "ms", kind: "histogram", labels: ["le"] }),
  ].map((metric) => [metric.name, metric]),
);
const of = (metric: string, where: Record<string, string> = {}) => ({ metric, where });
const PENDING = of("algobrain.jobs.pending");
const THROUGHPUT = of("algobrain.worker.throughput");
const FAILED = of("algobrain.jobs.failed_total");
const ENDED = of("algobrain.jobs.ended_total");

function written(rule: Partial<AlertRule>, level: Partial<AlertLevel> = {}) {
  const made = makeLevel({ value: 5, ...level });
  return datadogQuery(makeRule({ levels: [made], ...rule }), made, METRICS);
}

const agg = (
  fn: "avg" | "p95" | "count",
  source: typeof PENDING,
  overMs = 5 * MINUTE_MS,
): Signal => {
  return { form: "agg", fn, of: source, overMs, fullWindow: false };
};

describe("forms", () => {
  test.each<[string, Partial<AlertRule>, Partial<AlertLevel>, string]>([
    [
      "staying over a line is said of the least",
      { signal: { form: "last", of: THROUGHPUT }, by: ["worker_type"] },
      { op: ">", forMs: 10 * MINUTE_MS },
      "min(last_10m):avg:algobrain.worker.throughput{*} by {worker_type} > 5",
    ],
    [
      "and staying under it of the greatest",
      { signal: { form: "last", of: THROUGHPUT }, combine: "sum" },
      { op: "<", forMs: 120 * MINUTE_MS },
      "max(last_2h):sum:algobrain.worker.throughput{*} < 5",
    ],
    [
      "the queue is one series",
      { signal: agg("avg", PENDING), combine: "sum" },
      {},
      "avg(last_5m):avg:algobrain.jobs.pending{*} > 5",
    ],
    [
      "and its kinds are another",
      { signal: agg("avg", PENDING), by: ["worker_type"] },
      {},
      "avg(last_5m):avg:algobrain.jobs.pending_by_type{*} by {worker_type} > 5",
    ],
    [
      "one kind of it as well",
      { signal: agg("avg", of("algobrain.jobs.pending", { worker_type: "index" })) },
      {},
      "avg(last_5m):avg:algobrain.jobs.pending_by_type{worker_type:index} > 5",
    ],
    [
      "a share of counters",
      { signal: { form: "ratio", num: FAILED, all: ENDED, overMs: 5 * MINUTE_MS, minAll: 20 } },
      { value: 0.05 },
      "sum(last_5m):sum:algobrain.jobs.failed_total{*}.as_count() / sum:algobrain.jobs.ended_total{*}.as_count() > 0.05",
    ],
    [
      "growth",
      { signal: { form: "increase", of: FAILED, overMs: 60 * MINUTE_MS } },
      {},
      "sum(last_1h):sum:algobrain.jobs.failed_total{*}.as_count() > 5",
    ],
  ])("%s", (_what, rule, level, query) => {
    expect(written(rule, level)).toMatchObject({ ok: true, query });
  });
});

describe("what has no form has a reason", () => {
  test.each<[string, Partial<AlertRule>, Partial<AlertLevel>, RegExp]>([
    ["M of N", { signal: agg("avg", PENDING) }, { mOf: [3, 5] }, /counts ticks/],
    ["a percentile", { signal: agg("p95", PENDING) }, {}, /percentiles/],
    [
      "a histogram",
      { signal: { ...agg("avg", of("algobrain.api.request_duration")) } },
      {},
      /buckets/,
    ],
    ["half a minute", { signal: agg("avg", PENDING, 30_000) }, {}, /30s is not a whole number/],
    [
      "a mean that must hold",
      { signal: agg("avg", PENDING) },
      { forMs: 5 * MINUTE_MS },
      /nearest is one over 10m/,
    ],
    [
      "an age",
      { signal: { form: "age", of: of("algobrain.backup.verified_at") } },
      {},
      /no time that has passed/,
    ],
    [
      "a label that is no tag",
      { signal: agg("avg", of("algobrain.jobs.pending", { worker_type: "a,b}" })) },
      {},
      /no tag of Datadog's/,
    ],
  ])("%s", (_what, rule, level, reason) => {
    expect(written(rule, level)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });
});
