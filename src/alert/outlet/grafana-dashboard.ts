/**
 * The five panels of the handbook's alternative in Grafana (HB-dash-05), over what EP-24 shows to Prometheus. A panel
 * whose metrics the catalogue does not have, or has only planned, says so instead of asking for nothing.
 */
import type { JsonObject } from "../../base/json.js";
import type { Metric, PolicySet } from "../../policy/policy.js";
import { prometheusName } from "./prometheus-name.js";
import { aggregated, type Metrics } from "./promql.js";

interface Target {
  readonly metric: string;
  readonly legend: string;
  readonly query: (name: string, metric: Metric) => string;
}

interface Panel {
  readonly title: string;
  readonly unit: "s" | "percentunit" | "short";
  readonly targets: readonly Target[];
}

/** The same series may be shown by several processes: it counts once. */
const once = (name: string, { labels }: Metric): string => aggregated("max", labels, name);

const quantile = (share: number): Target => ({
  metric: "algobrain.api.request_duration",
  legend: `p${share * 100}`,
  query: (name, { labels }) => {
    const buckets = aggregated("max", labels, `rate(${name}_bucket[5m])`);
    return `histogram_quantile(${share}, sum by (le) (${buckets}))`;
  },
});

const PANELS: readonly Panel[] = [
  {
    title: "Worker throughput per minute",
    unit: "short",
    targets: [{ metric: "algobrain.worker.throughput", legend: "{{worker_type}}", query: once }],
  },
  { title: "API latency p50/p95/p99", unit: "s", targets: [0.5, 0.95, 0.99].map(quantile) },
  {
    title: "Database query time",
    unit: "s",
    targets: [{ metric: "algobrain.db.query_p95_ms", legend: "p95", query: once }],
  },
  {
    title: "Redis hit/miss",
    unit: "percentunit",
    targets: [
      { metric: "algobrain.cache.hit_rate", legend: "hit", query: once },
      {
        metric: "algobrain.cache.hit_rate",
        legend: "miss",
        query: (name, metric) => `1 - ${once(name, metric)}`,
      },
    ],
  },
  {
    title: "Healdec recovery success",
    unit: "percentunit",
    targets: [{ metric: "algobrain.healdec.recovery_rate", legend: "recovered", query: once }],
  },
];

const PANEL = { width: 12, height: 8 } as const;

export function grafanaDashboard({ metrics, system, environment }: PolicySet): JsonObject {
  return {
    title: `${system} (${environment})`,
    uid: `${system}-${environment}`.slice(0, 40),
    schemaVersion: 36,
    tags: [system],
    time: { from: "now-6h", to: "now" },
    refresh: "1m",
    // The data source is chosen when it is imported.
    __inputs: [{ name: "DS", label: "Prometheus", type: "datasource", pluginId: "prometheus" }],
    panels: PANELS.map((panel, i) => panelOf(panel, i, metrics)),
  };
}

function panelOf({ title, unit, targets }: Panel, i: number, metrics: Metrics): JsonObject {
  const place = {
    ...{ x: (i % 2) * PANEL.width, y: Math.floor(i / 2) * PANEL.height },
    ...{ w: PANEL.width, h: PANEL.height },
  };
  const shared = { id: i + 1, title, gridPos: place };
  const measured = targets.flatMap((target) => targetOf(target, metrics));
  if (measured.length === 0) {
    const names = [...new Set(targets.map(({ metric }) => metric))].join(", ");
    return {
      ...shared,
      type: "text",
      options: { mode: "markdown", content: `${names} is not measured yet.` },
    };
  }
  return {
    ...shared,
    type: "timeseries",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own placeholder.
    datasource: { type: "prometheus", uid: "${DS}" },
    fieldConfig: { defaults: { unit }, overrides: [] },
    targets: measured.map((target, at) => ({ refId: String.fromCharCode(65 + at), ...target })),
  };
}

function targetOf({ metric, legend, query }: Target, metrics: Metrics): JsonObject[] {
  const known = metrics[metric];
  if (!known || known.planned !== undefined || known.source !== "runtime") return [];
  return [{ expr: query(prometheusName(known).name, known), legendFormat: legend }];
}
