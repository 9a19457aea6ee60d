/** The handbook's overview for Datadog (HB-dash-01…04), as its API takes a dashboard. */
import type { JsonObject } from "../../base/json.js";
import type { PolicySet } from "../../policy/policy.js";

/** Its queries are the handbook's to the letter; what makes them true is in datadog-series. */
export function datadogDashboard(policy: PolicySet): JsonObject {
  return {
    title: "Brain-Doctor Hospital V4 - Overview",
    description: `How ${policy.system} works in ${policy.environment}. Made by \`algobrain policy outlets\`.`,
    layout_type: "ordered",
    widgets: [successRate(), pendingJobs(), failingWorkers()],
  };
}

function successRate(): JsonObject {
  return widget("Worker Success Rate", "timeseries", {
    q: "avg:algobrain.worker.success_rate{*} by {worker_type}",
    display_type: "line",
  });
}

function pendingJobs(): JsonObject {
  return widget("Pending Jobs", "query_value", {
    q: "sum:algobrain.jobs.pending{status:pending}",
    aggregator: "last",
  });
}

function failingWorkers(): JsonObject {
  return widget("Top Failing Workers", "toplist", {
    q: "top(avg:algobrain.worker.error_count{*} by {worker_type}, 10, 'sum', 'desc')",
  });
}

function widget(title: string, type: string, request: JsonObject): JsonObject {
  return { definition: { title, type, requests: [request] } };
}
