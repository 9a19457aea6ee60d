/** The handbook's monitors and dashboards (HB-alr-01…08, HB-dash-01…05), made of the rules as shipped, to the letter. */
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { DATADOG_MONITORS, datadogMonitors } from "../../src/alert/outlet/datadog.js";
import { datadogDashboard } from "../../src/alert/outlet/datadog-dashboard.js";
import { grafanaDashboard } from "../../src/alert/outlet/grafana-dashboard.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import { SHIPPED, withEdit } from "../policy/shipped.js";

interface Monitor {
  readonly name: string;
  readonly type: string;
  readonly query: string;
  readonly message: string;
  readonly options: { readonly thresholds: Readonly<Record<string, number>> };
}

function policyOf(files = SHIPPED) {
  const checked = loadPolicySet(files, "production");
  if (!checked.ok) throw new Error("the policies are invalid: see test/policy/shipped.test.ts");
  return checked.value;
}

function monitorsOf(files = SHIPPED): Monitor[] {
  const { text } = datadogMonitors(policyOf(files));
  return (load(text) as { monitors: Monitor[] }).monitors;
}

const MONITORS = monitorsOf();
const named = (name: string, monitors = MONITORS) => monitors.find((one) => one.name === name);

describe("monitors", () => {
  test.each([
    [
      "HB-alr-01",
      "Worker Success Rate Below 95%",
      "avg(last_5m):avg:algobrain.worker.success_rate{*} < 0.95",
      "@pagerduty-critical",
    ],
    [
      "HB-alr-02",
      "API Error Rate Above 5%",
      "avg(last_5m):avg:algobrain.api.error_rate{*} > 0.05",
      "@pagerduty-critical",
    ],
    [
      "HB-alr-03",
      "Database Connections Exhausted",
      "avg(last_1m):avg:algobrain.db.connections{*} / avg:algobrain.db.pool_size{*} > 0.9",
      "@pagerduty-critical",
    ],
    [
      "HB-alr-05",
      "Queue Depth High",
      "avg(last_10m):avg:algobrain.jobs.pending{*} > 1000",
      "@slack-ops",
    ],
    [
      "HB-alr-06",
      "Healdec Action Rate High",
      "avg(last_10m):avg:algobrain.healdec.action_rate{*} > 0.15",
      "@slack-ops",
    ],
  ])("%s %s", (_id, name, query, handle) => {
    const monitor = named(name);
    expect(monitor).toMatchObject({ type: "metric alert", query });
    expect(monitor!.message).toContain(handle);
  });

  test("HB-alr-04: the heartbeat is a service check, and its absence pages", () => {
    expect(named("Orchestrator Down")).toMatchObject({
      type: "service check",
      query: '"algobrain.orchestrator.heartbeat".over("*").last(2).count_by_status()',
      message: expect.stringContaining("@pagerduty-critical"),
      options: { notify_no_data: true, no_data_timeframe: 2 },
    });
    expect(datadogMonitors(policyOf()).text).toContain(
      "service_check:algobrain.orchestrator.heartbeat",
    );
  });

  test("HB-alr-07: a changed threshold changes the monitor, its name too, in the file of that name", () => {
    expect(DATADOG_MONITORS).toBe("datadog-monitors.yaml");
    const { files } = withEdit(
      "policies/algobrain/alerts/workers.yaml",
      "value: 0.95",
      "value: 0.9",
    );
    expect(named("Worker Success Rate Below 90%", monitorsOf(files))?.query).toBe(
      "avg(last_5m):avg:algobrain.worker.success_rate{*} < 0.9",
    );
  });

  test("HB-alr-08: latency, cache, disk and memory are watched as well", () => {
    const queries = MONITORS.map(({ query }) => query).join("\n");
    for (const metric of [
      "api.latency_p95_ms",
      "cache.hit_rate",
      "host.disk_used_ratio",
      "host.memory_used_ratio",
    ])
      expect(queries).toContain(`avg:algobrain.${metric}{*}`);
  });

  test("of two lines on one number the milder is the warning, told to whom it is told here", () => {
    const monitor = named("Queue Depth High")!;
    expect(monitor.options.thresholds).toEqual({ warning: 100, critical: 1000 });
    const errors = named("API Error Rate Above 5%")!;
    expect(errors.message).toContain("{{#is_alert}}@pagerduty-critical{{/is_alert}}");
    expect(errors.message).toContain("{{#is_warning}}@slack-ops{{/is_warning}}");
  });
});

describe("dashboards", () => {
  test("HB-dash-01…04: Datadog's overview", () => {
    const { title, widgets } = datadogDashboard(policyOf());
    expect(title).toBe("Brain-Doctor Hospital V4 - Overview");
    expect(widgets).toEqual([
      {
        definition: {
          ...{ title: "Worker Success Rate", type: "timeseries" },
          requests: [
            {
              q: "avg:algobrain.worker.success_rate{*} by {worker_type}",
              display_type: "line",
            },
          ],
        },
      },
      {
        definition: {
          ...{ title: "Pending Jobs", type: "query_value" },
          requests: [{ q: "sum:algobrain.jobs.pending{status:pending}", aggregator: "last" }],
        },
      },
      {
        definition: {
          ...{ title: "Top Failing Workers", type: "toplist" },
          requests: [
            { q: "top(avg:algobrain.worker.error_count{*} by {worker_type}, 10, 'sum', 'desc')" },
          ],
        },
      },
    ]);
  });

  test("HB-dash-05: Grafana's five panels", () => {
    const { panels } = grafanaDashboard(policyOf());
    expect(panels).toMatchObject([
      { title: "Worker throughput per minute" },
      { title: "API latency p50/p95/p99" },
      { title: "Database query time" },
      { title: "Redis hit/miss" },
      { title: "Healdec recovery success" },
    ]);
  });
});
