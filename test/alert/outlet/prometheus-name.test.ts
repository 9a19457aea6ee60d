import { describe, expect, test } from "vitest";
import { prometheusName } from "../../../src/alert/outlet/prometheus-name.js";
import { loadPolicySet } from "../../../src/policy/bundle.js";
import type { Metric } from "../../../src/policy/policy.js";
import { SHIPPED } from "../../policy/shipped.js";

const checked = loadPolicySet(SHIPPED, "local");
if (!checked.ok) throw new Error("the shipped policies are invalid: test/policy/shipped.test.ts");
const { metrics } = checked.value;

const named = (name: string, unit: Metric["unit"], kind: Metric["kind"] = "gauge") =>
  prometheusName({ name, unit, kind });

describe("names in the world of Prometheus", () => {
  test.each<[string, Metric["unit"], Metric["kind"], string, number]>([
    ["algobrain.api.latency_p95_ms", "ms", "gauge", "algobrain_api_latency_p95_seconds", 0.001],
    [
      "algobrain.api.request_duration",
      "ms",
      "histogram",
      "algobrain_api_request_duration_seconds",
      0.001,
    ],
    ["algobrain.db.replica_lag", "s", "gauge", "algobrain_db_replica_lag_seconds", 1],
    ["algobrain.policy.adoption_lag_s", "s", "gauge", "algobrain_policy_adoption_lag_seconds", 1],
    ["algobrain.worker.success_rate", "ratio", "gauge", "algobrain_worker_success_ratio", 1],
    ["algobrain.host.disk_used_ratio", "ratio", "gauge", "algobrain_host_disk_used_ratio", 1],
    ["algobrain.db.jobs_index_bytes", "bytes", "gauge", "algobrain_db_jobs_index_bytes", 1],
    [
      "algobrain.backup.verified_at",
      "timestamp",
      "gauge",
      "algobrain_backup_verified_timestamp_seconds",
      1,
    ],
    ["algobrain.jobs.failed_total", "count", "counter", "algobrain_jobs_failed_total", 1],
    ["algobrain.gc.freed", "bytes", "counter", "algobrain_gc_freed_bytes_total", 1],
    ["algobrain.jobs.pending", "count", "gauge", "algobrain_jobs_pending", 1],
    ["algobrain.worker.error_count", "count", "gauge", "algobrain_worker_errors", 1],
    [
      "algobrain.api.request_rate",
      "perMinute",
      "gauge",
      "algobrain_api_request_rate_per_minute",
      1,
    ],
  ])("%s (%s %s) is %s", (name, unit, kind, expected, factor) => {
    expect(named(name, unit, kind)).toEqual({ name: expected, factor });
  });

  test("two metrics of the catalogue never share a name, nor double a suffix", () => {
    const names = Object.values(metrics).map((metric) => prometheusName(metric).name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(name).not.toMatch(/_(total|seconds|bytes|ratio)_(?:\1)(_|$)/);
    }
  });
});
