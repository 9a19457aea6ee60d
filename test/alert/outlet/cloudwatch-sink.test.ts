/** HB-aws-09: what CloudWatch receives each minute, in the form in which CloudWatch Logs looks for metrics. */
import { expect, test } from "vitest";
import { cloudWatchAlarm } from "../../../src/alert/outlet/cloudwatch.js";
import { createCloudWatchSink } from "../../../src/alert/outlet/cloudwatch-sink.js";
import type { ExportedSample } from "../../../src/alert/port.js";
import type { JsonObject } from "../../../src/base/json.js";
import { loadPolicySet } from "../../../src/policy/bundle.js";
import { SHIPPED } from "../../policy/shipped.js";
import { makeMetric } from "../../support/make-policy.js";

const checked = loadPolicySet(SHIPPED, "production");
if (!checked.ok) throw new Error("the shipped policies are invalid: test/policy/shipped.test.ts");
const { alerts, metrics, infrastructure } = checked.value;
const context = { namespace: infrastructure.namespace, metrics };

function makeSink(its = context) {
  const lines: JsonObject[] = [];
  let at = 0;
  const clock = { now: () => new Date(at), sleep: async () => {} };
  const sink = createCloudWatchSink({
    context: () => its,
    clock,
    write: (line) => lines.push(line),
  });
  const send = (seconds: number, ...samples: ExportedSample[]) => {
    at = seconds * 1_000;
    sink.send(samples);
  };
  return { lines, send };
}

function sample(
  metric: string,
  value: number,
  labels: Record<string, string> = {},
): ExportedSample {
  return { metric, kind: metrics[metric]?.kind ?? "gauge", labels, value };
}

const pending = (kind: string, value: number) =>
  sample("algobrain.jobs.pending", value, { worker_type: kind });

test("JobQueueDepth of all kinds arrives once a minute in the namespace AlgoBrain", () => {
  const { lines, send } = makeSink();
  for (const second of [0, 15, 30, 45, 60, 75])
    send(second, pending("index", second), pending("score", 7));
  expect(lines).toEqual([
    {
      _aws: {
        Timestamp: 0,
        CloudWatchMetrics: [
          {
            ...{ Namespace: "AlgoBrain", Dimensions: [[]] },
            Metrics: [{ Name: "JobQueueDepth", Unit: "Count" }],
          },
        ],
      },
      JobQueueDepth: 7,
    },
    expect.objectContaining({ JobQueueDepth: 67 }),
  ]);
});

test("counters arrive as what they grew by, series by series; a first sight and a restart are no growth of all", () => {
  const { lines, send } = makeSink();
  const failed = (a: number, b: number) => [
    sample("algobrain.jobs.failed_total", a, { worker_type: "index" }),
    sample("algobrain.jobs.failed_total", b, { worker_type: "score" }),
  ];
  send(0, ...failed(1_000, 500), pending("index", 1));
  send(60, ...failed(1_003, 2));
  expect(lines[0]).not.toHaveProperty("JobsFailedTotal");
  expect(lines[1]).toMatchObject({ JobsFailedTotal: 5 });
});

test("shares are averaged and times are the worst; what is no number is left out", () => {
  const { lines, send } = makeSink();
  send(
    0,
    ...[0.9, 1, Number.NaN].map((value, i) =>
      sample("algobrain.worker.success_rate", value, { worker_type: `k${i}` }),
    ),
    ...[20, 900].map((value, i) =>
      sample("algobrain.jobs.run_p95_ms", value, { worker_type: `k${i}` }),
    ),
  );
  expect(lines[0]).toMatchObject({ WorkerSuccessRate: 0.95, JobsRunP95Ms: 900 });
});

test("a heartbeat that does not move on is not published: its alarm counts samples (HB-alr-04)", () => {
  const { lines, send } = makeSink();
  const beat = (value: number) => sample("algobrain.orchestrator.heartbeat", value);
  send(0, beat(0));
  send(60, beat(59));
  send(120, beat(59), pending("index", 1));
  expect(lines.map((line) => line.OrchestratorHeartbeat)).toEqual([0, 59, undefined]);
});

test("every alarm asks for a name that is published", () => {
  const { lines, send } = makeSink();
  const all = (value: number) =>
    Object.values(metrics).flatMap(({ name, planned, source, kind }) =>
      planned === undefined && source === "runtime"
        ? [{ metric: name, kind, labels: {}, value }]
        : [],
    );
  send(0, ...all(1));
  send(60, ...all(2));
  const published = new Set(Object.keys(lines.at(-1)!));
  const asked = alerts.flatMap((rule) =>
    rule.levels.flatMap((level) => {
      const form = cloudWatchAlarm(rule, level, context);
      if (!form.ok) return [];
      const { query } = form.alarm;
      return (query.kind === "metric" ? [query.metric] : query.metrics).map(
        (one) => one.metricName,
      );
    }),
  );
  expect(asked.length).toBeGreaterThan(20);
  expect(asked.filter((name) => !published.has(name))).toEqual([]);
});

test("more metrics than a line may hold are more lines", () => {
  const many = Array.from({ length: 250 }, (_, i) => makeMetric(`algobrain.made.up_${i}`));
  const { lines, send } = makeSink({
    ...context,
    metrics: Object.fromEntries(many.map((metric) => [metric.name, metric])),
  });
  send(0, ...many.map(({ name }) => sample(name, 1)));
  expect(lines.map((line) => Object.keys(line).length - 1)).toEqual([100, 100, 50]);
});
