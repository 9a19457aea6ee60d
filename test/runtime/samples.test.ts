import { describe, expect, it } from "vitest";
import { silentLogger } from "../../src/base/log.js";
import { PUBLIC_KINDS } from "../../src/job/kinds.js";
import { apiSource } from "../../src/runtime/sample/api.js";
import { databaseSource } from "../../src/runtime/sample/database.js";
import { hostSource } from "../../src/runtime/sample/host.js";
import { jobsSource } from "../../src/runtime/sample/jobs.js";
import type { SampleSource } from "../../src/runtime/sample/source.js";
import { collectSamplesTick } from "../../src/runtime/tick/collect-samples.js";
import { logHealing } from "../../src/store/healing.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import type { Sample } from "../../src/store/samples.js";
import { registerWorker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "./support/policy.js";

const now = new Date("2026-01-28T12:00:00Z");

function find(samples: readonly Sample[], metric: string, kind?: string): number | undefined {
  return samples.find((one) => one.metric === metric && one.labels.worker_type === kind)?.value;
}

describe("samples of jobs", () => {
  it("name every public kind, with zeros where nothing waits", async () => {
    await withDatabase(async (db) => {
      const samples = await jobsSource(db).collect(now);
      const pending = samples.filter(({ metric }) => metric === "algobrain.jobs.pending");
      expect(pending.map(({ labels }) => labels.worker_type)).toEqual([...PUBLIC_KINDS]);
      expect(pending.every(({ value }) => value === 0)).toBe(true);
      expect(find(samples, "algobrain.healdec.action_rate")).toBe(0);
      expect(samples.some(({ metric }) => metric === "algobrain.worker.success_rate")).toBe(false);
    });
  });

  it("count due jobs, rates as fractions, and no internal kinds", async () => {
    await withDatabase(async (db) => {
      const kinds = ["index", "index", "index", "index", "score", "notice", "score"];
      await enqueueJobs(
        db,
        kinds.map((kind) => ({ kind, payload: {} })),
      );
      await enqueueJobs(db, [
        { kind: "score", payload: {}, scheduledAt: new Date(Date.now() + 3_600_000) },
      ]);
      await db.query("UPDATE jobs SET status = 'completed' WHERE seq IN (1, 2, 3)");
      await db.query("UPDATE jobs SET status = 'failed' WHERE seq = 4");
      for (const jobId of ["job-1", "job-6"]) {
        await logHealing(db, {
          jobId,
          workerId: null,
          failureType: "transient",
          strategy: "retry",
          attemptNumber: 1,
          context: {},
          operatorNotified: false,
        });
      }
      const samples = await jobsSource(db).collect(now);
      expect(find(samples, "algobrain.jobs.pending", "score")).toBe(2);
      expect(find(samples, "algobrain.worker.success_rate", "index")).toBe(0.75);
      expect(find(samples, "algobrain.worker.error_count", "index")).toBe(1);
      expect(find(samples, "algobrain.healdec.action_rate")).toBe(0.25);
    });
  });
});

describe("samples of the rest", () => {
  it("show our pools against their sum, and the server against its maximum (X-74)", async () => {
    await withDatabase(async (db) => {
      await registerWorker(db, { lane: "general", kinds: ["index"], hostname: "h", pid: 1 });
      const source = databaseSource({ sql: db, policy: () => makePolicy(), otherProcesses: 1 });
      const samples = await source.collect(now);
      const { poolSize } = makePolicy().infrastructure.database;
      expect(find(samples, "algobrain.workers.alive")).toBe(1);
      expect(find(samples, "algobrain.db.pool_size")).toBe(2 * poolSize);
      expect(find(samples, "algobrain.db.server_connections_max")).toBeGreaterThan(0);
    });
  });

  it("measure this host as fractions", async () => {
    const samples = await hostSource(".").collect(now);
    expect(samples.map(({ metric }) => metric)).toEqual([
      "algobrain.host.disk_used_ratio",
      "algobrain.host.memory_used_ratio",
    ]);
    for (const { value } of samples) expect(value > 0 && value < 1).toBe(true);
  });

  it("are missing, not zero, where nothing was asked", async () => {
    const nothing = { p95Ms: null, errorRate: null, requests: 0 };
    expect(await apiSource(() => nothing).collect(now)).toEqual([]);
  });

  it("are stored though one source is broken", async () => {
    await withDatabase(async (db) => {
      const broken: SampleSource = {
        name: "broken",
        collect: async () => {
          throw new Error("no such sensor");
        },
      };
      const sources = [broken, apiSource(() => ({ p95Ms: 12, errorRate: null, requests: 1 }))];
      const tick = collectSamplesTick({ db, log: silentLogger, sources });
      await tick.run(now, new AbortController().signal);
      const { rows } = await db.query(
        "SELECT metric, value FROM control.sample JOIN control.series ON id = series_id",
      );
      expect(rows).toEqual([{ metric: "algobrain.api.latency_p95_ms", value: 12 }]);
    });
  });
});
