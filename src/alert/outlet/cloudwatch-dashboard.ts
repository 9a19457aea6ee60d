/**
 * The handbook's overview in CloudWatch (HB-dash-01…05), for when neither Datadog nor Grafana is there: what the runtime
 * publishes (cloudwatch-sink), and beneath it what AWS itself measures of our services. The form is CloudWatch's own
 * (docs.aws.amazon.com, "Dashboard body structure and syntax"). A panel whose metrics the catalogue does not have says so.
 */
import type { JsonObject } from "../../base/json.js";
import type { PolicySet } from "../../policy/policy.js";
import { SERVICES } from "../../policy/services.js";
import { cloudWatchSeries } from "./cloudwatch.js";
import { FAILURES_BY_TYPE } from "./log-queries.js";

/** The grid is 24 wide. */
const WIDGET = { width: 8, height: 6 } as const;
const PER_ROW = 24 / WIDGET.width;
const PERIOD_S = 60;

interface Panel {
  readonly title: string;
  readonly view?: "timeSeries" | "singleValue";
  /** Of the catalogue. */
  readonly metrics: readonly string[];
}

const PANELS: readonly Panel[] = [
  { title: "Worker Success Rate", metrics: ["algobrain.worker.success_rate"] },
  { title: "Pending Jobs", view: "singleValue", metrics: ["algobrain.jobs.pending"] },
  { title: "Worker throughput per minute", metrics: ["algobrain.worker.throughput"] },
  {
    title: "API latency p95/p99",
    metrics: ["algobrain.api.latency_p95_ms", "algobrain.api.latency_p99_ms"],
  },
  { title: "Database query time", metrics: ["algobrain.db.query_p95_ms"] },
  { title: "Redis hits", metrics: ["algobrain.cache.hit_rate"] },
  { title: "Healdec recovery success", metrics: ["algobrain.healdec.recovery_rate"] },
];

/**
 * @param logGroups that failing workers are counted in
 * @returns the body of a dashboard; names of metrics are the alarms' own
 */
export function cloudWatchDashboard(policy: PolicySet, logGroups: readonly string[]): JsonObject {
  const contents = [
    ...PANELS.map((panel) => metricPanel(panel, policy)),
    failingWorkers(policy, logGroups),
    ...["CPUUtilization", "MemoryUtilization"].map((name) => servicePanel(name, policy)),
  ];
  return { widgets: contents.map((content, i) => ({ ...content, ...placeOf(i) })) };
}

function metricPanel({ title, view = "timeSeries", metrics }: Panel, policy: PolicySet) {
  const known = metrics.filter((name) => isPublished(name, policy));
  if (known.length === 0) {
    const markdown = `**${title}**: ${metrics.join(", ")} is not measured yet.`;
    return { type: "text", properties: { markdown } };
  }
  const { namespace } = policy.infrastructure;
  const series = known.map((metric) => {
    const { namespace: place, metricName } = cloudWatchSeries(
      { metric },
      { namespace, metrics: policy.metrics },
    );
    return [place, metricName];
  });
  return widget(title, policy, { view, stat: "Average", metrics: series });
}

function isPublished(name: string, { metrics }: PolicySet): boolean {
  const metric = metrics[name];
  return metric !== undefined && metric.source === "runtime" && metric.planned === undefined;
}

/** What is published is combined over its labels; which kind fails, only the logs know. */
function failingWorkers(policy: PolicySet, logGroups: readonly string[]) {
  const { infrastructure, monitoring } = policy;
  const sources = logGroups.map((group) => `SOURCE '${group}'`).join(" | ");
  return {
    type: "log",
    properties: {
      title: "Top Failing Workers",
      region: infrastructure.region,
      view: "bar",
      query: `${sources} | ${FAILURES_BY_TYPE.text}\n| limit ${monitoring.queries.top}`,
    },
  };
}

function servicePanel(metric: string, policy: PolicySet) {
  const { cluster } = policy.infrastructure;
  const metrics = SERVICES.map((service) => [
    ...["AWS/ECS", metric, "ClusterName", cluster, "ServiceName", service],
  ]);
  return widget(`${metric} of services`, policy, { view: "timeSeries", stat: "Average", metrics });
}

function widget(title: string, { infrastructure }: PolicySet, properties: JsonObject) {
  const shared = { title, region: infrastructure.region, period: PERIOD_S };
  return { type: "metric", properties: { ...shared, ...properties } };
}

function placeOf(i: number) {
  return {
    x: (i % PER_ROW) * WIDGET.width,
    y: Math.floor(i / PER_ROW) * WIDGET.height,
    ...WIDGET,
  };
}
