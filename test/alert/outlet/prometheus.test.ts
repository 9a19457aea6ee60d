/** A rule in PromQL, or the reason why not. That Prometheus means the same by it: test/peers/promtool.peer.ts. */
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { prometheusRules } from "../../../src/alert/outlet/prometheus.js";
import { prometheusExpression } from "../../../src/alert/outlet/prometheus-expression.js";
import type { AlertLevel, AlertRule, Signal } from "../../../src/policy/policy.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../../support/make-policy.js";

const MINUTE_MS = 60_000;
const METRICS = Object.fromEntries(
  [
    makeMetric("algobrain.jobs.pending", { labels: ["worker_type"] }),
    makeMetric("algobrain.api.latency_p95_ms", { unit: "ms" }),
    makeMetric("algobrain.api.request_duration", {
      unit: "ms",
      kind: "histogram",
      labels: ["host", "le"],
    }),
    makeMetric("algobrain.jobs.failed_total", { kind: "counter", labels: ["worker_type"] }),
    makeMetric("algobrain.jobs.ended_total", { kind: "counter", labels: ["worker_type"] }),
    makeMetric("algobrain.orchestrator.heartbeat", { unit: "timestamp" }),
    makeMetric("aws.cpu", { source: "cloudwatch" }),
  ].map((metric) => [metric.name, metric]),
);

const of = (metric: string, where: Record<string, string> = {}) => ({ metric, where });
const PENDING = of("algobrain.jobs.pending");
const LATENCY = of("algobrain.api.latency_p95_ms");
const DURATION = of("algobrain.api.request_duration");
const FAILED = of("algobrain.jobs.failed_total");
const ENDED = of("algobrain.jobs.ended_total");

function written(rule: Partial<AlertRule>, level: Partial<AlertLevel> = {}) {
  const made = makeLevel({ value: 5, ...level });
  return prometheusExpression(makeRule({ levels: [made], ...rule }), made, METRICS);
}

const agg = (fn: "avg" | "max" | "p95", source: typeof PENDING): Signal => {
  return { form: "agg", fn, of: source, overMs: 10 * MINUTE_MS, fullWindow: false };
};
const BURN: Signal = {
  ...{ form: "burn", bad: FAILED, all: ENDED, slo: 0.999 },
  ...{ longMs: 60 * MINUTE_MS, shortMs: 5 * MINUTE_MS, minAll: 100 },
};
const share = (over: string, least: string) =>
  `(sum(max by (worker_type) (increase(algobrain_jobs_failed_total[${over}]))) or sum(max by (worker_type) (increase(algobrain_jobs_ended_total[${over}]))) * 0) / (sum(max by (worker_type) (increase(algobrain_jobs_ended_total[${over}]))) >= ${least})`;

describe("forms", () => {
  test.each<[string, Partial<AlertRule>, Partial<AlertLevel>, string]>([
    [
      "milliseconds become seconds, the threshold too",
      { signal: { form: "last", of: LATENCY } },
      { value: 700 },
      "max(algobrain_api_latency_p95_seconds) > 0.7",
    ],
    [
      "what several processes show of a series counts once, and then all series",
      { signal: { form: "last", of: PENDING }, combine: "sum" },
      {},
      "sum(max by (worker_type) (algobrain_jobs_pending)) > 5",
    ],
    [
      "an instance each",
      { signal: { form: "last", of: PENDING }, by: ["worker_type"] },
      {},
      "max by (worker_type) (algobrain_jobs_pending) > 5",
    ],
    [
      "series picked by label",
      { signal: { form: "last", of: of("algobrain.jobs.pending", { worker_type: 'a"b' }) } },
      {},
      'max(algobrain_jobs_pending{worker_type="a\\"b"}) > 5',
    ],
    [
      "a full window has begun",
      { signal: { ...agg("avg", LATENCY), fullWindow: true } as Signal },
      { value: 500 },
      "max(avg_over_time(algobrain_api_latency_p95_seconds[10m])) > 0.5 and max(algobrain_api_latency_p95_seconds offset 10m)",
    ],
    [
      "the greatest of a sum is no sum of the greatest",
      { signal: agg("max", PENDING), combine: "sum" },
      {},
      "max_over_time((sum(max by (worker_type) (algobrain_jobs_pending)))[10m:15s]) > 5",
    ],
    [
      "buckets of all hosts add up",
      { signal: agg("p95", DURATION) },
      { value: 1000 },
      "histogram_quantile(0.95, sum by (le) (max by (le, host) (rate(algobrain_api_request_duration_seconds_bucket[10m])))) > 1",
    ],
    [
      "a share of too few is none",
      { signal: { form: "ratio", num: FAILED, all: ENDED, overMs: 5 * MINUTE_MS, minAll: 20 } },
      { value: 0.05 },
      `${share("5m", "20")} > 0.05`,
    ],
    [
      "a heartbeat is remembered longer than the look-back",
      { signal: { form: "age", of: of("algobrain.orchestrator.heartbeat") }, noData: null },
      { value: 60 },
      "time() - max(last_over_time(algobrain_orchestrator_heartbeat_timestamp_seconds[1h])) > 60",
    ],
    [
      "both windows burn",
      { signal: BURN },
      { value: 14.4 },
      `${share("1h", "100")} > 0.0144 and ${share("5m", "1")} > 0.0144`,
    ],
  ])("%s", (_what, rule, level, expr) => {
    expect(written(rule, level)).toMatchObject({ ok: true, expr });
  });

  test("recovering where it fires, only later, is keep_firing_for; anything else is said", () => {
    const signal: Signal = { form: "last", of: LATENCY };
    const noData = { afterMs: 0, then: "ok" } as const;
    const recover = (value: number) => ({ op: "<=" as const, value, forMs: 2 * MINUTE_MS });
    expect(written({ signal, noData }, { recover: recover(5) })).toMatchObject({
      ...{ keepFiringForMs: 2 * MINUTE_MS, loose: [] },
    });
    expect(written({ signal, noData }, { recover: recover(4) })).toMatchObject({
      ...{ keepFiringForMs: null, loose: [expect.stringContaining("recovery line")] },
    });
  });
});

describe("what has no form has a reason", () => {
  test.each<[string, Partial<AlertRule>, Partial<AlertLevel>, RegExp]>([
    ["a planned metric", { waitsFor: ["x.y"] }, {}, /waits for x\.y/],
    ["M of N", {}, { mOf: [3, 5] }, /counts ticks/],
    ["an instance for a label of alerts", { by: ["level"] }, {}, /label of every alert/],
    ["a metric of CloudWatch", { signal: { form: "last", of: of("aws.cpu") } }, {}, /aws\.cpu/],
  ])("%s", (_what, rule, level, reason) => {
    expect(written({ signal: { form: "last", of: PENDING }, ...rule }, level)).toEqual({
      ...{ ok: false, reason: expect.stringMatching(reason) },
    });
  });
});

interface RuleFile {
  readonly groups: readonly {
    readonly name: string;
    readonly interval: string;
    readonly rules: readonly Record<string, unknown>[];
  }[];
}

describe("the file", () => {
  test("silence that is the alarm is an alert beside it, of a rule with one instance", () => {
    const signal: Signal = { form: "last", of: LATENCY };
    const noData = { afterMs: 5 * MINUTE_MS, then: "alert" } as const;
    const policy = makePolicy({ metrics: METRICS, alerts: [makeRule({ signal, noData })] });
    const { groups } = load(prometheusRules(policy).text) as RuleFile;
    expect(groups).toHaveLength(1);
    expect(groups[0]).toMatchObject({ name: "algobrain/queue-depth-high", interval: "15s" });
    expect(groups[0]!.rules.map(({ expr }) => expr)).toEqual([
      "max(algobrain_api_latency_p95_seconds) > 1",
      "absent_over_time(algobrain_api_latency_p95_seconds[5m])",
    ]);
    expect(groups[0]!.rules[0]!.labels).toEqual({
      ...{ system: "algobrain", environment: "production", level: "AR-06", severity: "sev2" },
    });
  });

  test("texts of people are no templates, and come out as they were written", () => {
    const summary = 'A "quoted": text # with {{ braces }}, and a \\ in it';
    const written = summary.replace("{{", '{{"{{"}}');
    const signal: Signal = { form: "last", of: LATENCY };
    const policy = makePolicy({ metrics: METRICS, alerts: [makeRule({ signal, summary })] });
    const { groups } = load(prometheusRules(policy).text) as RuleFile;
    expect(groups[0]!.rules[0]!.annotations).toMatchObject({ summary: written });
  });
});
