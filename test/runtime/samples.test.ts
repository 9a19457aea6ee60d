import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { PUBLIC_KINDS } from "../../src/job/kinds.js";
import { type ApiStats, ApiTally } from "../../src/runtime/api-stats.js";
import { QueryTimes } from "../../src/runtime/query-times.js";
import { apiSource } from "../../src/runtime/sample/api.js";
import { databaseSource } from "../../src/runtime/sample/database.js";
import { busyShare, hostSource, timeOf } from "../../src/runtime/sample/host.js";
import { jobsSource } from "../../src/runtime/sample/jobs.js";
import { noticesSource } from "../../src/runtime/sample/notices.js";
import type { SampleSource } from "../../src/runtime/sample/source.js";
import { appendAlertEvents } from "../../src/store/alerts.js";
import { logHealing, type NewHealingEntry } from "../../src/store/healing.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import {
  enqueueNotice,
  markNoticeDead,
  markNoticeFailed,
  markNoticeSent,
} from "../../src/store/notices.js";
import { readQuarantineAge } from "../../src/store/runtime-samples.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import type { Sample } from "../../src/store/samples.js";
import { registerWorker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";
import { makeNotice } from "../support/make-notice.js";
import { makePolicy } from "./support/policy.js";

const now = new Date("2026-01-28T12:00:00Z");

function apiOf(stats: Partial<ApiStats>, requestsPerSecond?: number): SampleSource {
  const policy = makePolicy();
  const { infrastructure } = policy;
  const api = {
    ...infrastructure.services.api,
    ...(requestsPerSecond !== undefined && { target: { requestsPerSecond } }),
  };
  const services = { ...infrastructure.services, api };
  return apiSource({
    apiStats: () => ({ ...new ApiTally(systemClock).read(), ...stats }),
    policy: () => ({ ...policy, infrastructure: { ...infrastructure, services } }),
    host: "h1",
  });
}

function find(samples: readonly Sample[], metric: string, kind?: string): number | undefined {
  return samples.find((one) => one.metric === metric && one.labels.worker_type === kind)?.value;
}

const queryTimes = new QueryTimes();
const HEALED: Omit<NewHealingEntry, "jobId"> = {
  ...{ workerId: null, failureType: "transient", strategy: "retry", attemptNumber: 1 },
  ...{ context: {}, operatorNotified: false },
};

describe("samples of jobs", () => {
  it("name every public kind, with zeros where nothing waits", async () => {
    await withDatabase(async (db) => {
      const samples = await jobsSource({ sql: db, policy: () => makePolicy() }).collect(now);
      const pending = samples.filter(({ metric }) => metric === "algobrain.jobs.pending");
      expect(pending.map(({ labels }) => labels.worker_type)).toEqual([...PUBLIC_KINDS]);
      expect(pending.every(({ value }) => value === 0)).toBe(true);
      expect(find(samples, "algobrain.healdec.action_rate")).toBe(0);
      expect(find(samples, "algobrain.safe_mode.active")).toBe(0);
      const unsaid = ["success_rate", "error_rate", "throughput"].map(
        (one) => `algobrain.worker.${one}`,
      );
      expect(samples.filter(({ metric }) => unsaid.includes(metric))).toEqual([]);
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
        await logHealing(db, { ...HEALED, jobId });
      }
      const policy = makePolicy();
      const source = jobsSource({ sql: db, policy: () => policy });
      const samples = await source.collect(now);
      const { target } = policy.workers.index!;
      expect(find(samples, "algobrain.jobs.pending", "score")).toBe(2);
      expect(find(samples, "algobrain.worker.error_rate", "index")).toBe(0.25);
      expect(find(samples, "algobrain.worker.error_rate_max", "index")).toBe(target.errorRateMax);
      expect(find(samples, "algobrain.worker.success_rate", "index")).toBe(0.75);
      expect(find(samples, "algobrain.worker.error_count", "index")).toBe(1);
      expect(find(samples, "algobrain.healdec.action_rate")).toBe(0.25);
      expect(find(samples, "algobrain.healdec.recovery_rate"), "none is known").toBeUndefined();
      for (const jobId of ["job-2", "job-3"]) await logHealing(db, { ...HEALED, jobId });
      await db.query("UPDATE healdec_log SET success = job_id = 'job-1' WHERE job_id <> 'job-3'");
      const known = await source.collect(now);
      expect(find(known, "algobrain.healdec.recovery_rate"), "one of the two known").toBe(0.5);
      // Of a kind whose jobs wait, and only while work is not stopped on purpose.
      expect(find(samples, "algobrain.worker.throughput", "score")).toBe(0);
      expect(find(samples, "algobrain.worker.throughput", "index")).toBeUndefined();
      await enterSafeMode(db, { reason: "test", by: "test" });
      const stopped = await source.collect(now);
      expect(find(stopped, "algobrain.safe_mode.active")).toBe(1);
      expect(find(stopped, "algobrain.worker.throughput", "score")).toBeUndefined();
    });
  });

  it("count what is done in the unit of the kind's target: jobs, of gc the rows that went (HB-wrk-07)", async () => {
    await withDatabase(async (db) => {
      const kinds = ["gc", "gc", "gc", "gc", "score", "score"];
      await enqueueJobs(
        db,
        kinds.map((kind) => ({ kind, payload: {} })),
      );
      const results = [
        { dry_run: false, rows: { events: 4000, jobs: 1000 } },
        { dry_run: true, rows: { events: 900_000 } },
        { note: "of an older version" },
      ];
      for (const [i, result] of results.entries()) {
        await db.query("UPDATE jobs SET status = 'completed', result = $2 WHERE seq = $1", [
          i + 1,
          JSON.stringify(result),
        ]);
      }
      await db.query("UPDATE jobs SET status = 'completed' WHERE seq = 5");
      const samples = await jobsSource({ sql: db, policy: () => makePolicy() }).collect(now);
      expect(find(samples, "algobrain.worker.throughput", "gc")).toBe(5000 / 5);
      expect(find(samples, "algobrain.worker.throughput", "score")).toBe(1 / 5);
    });
  });
});

describe("samples of the rest", () => {
  it("show our pools against their sum, and the server against its maximum (X-74)", async () => {
    await withDatabase(async (db) => {
      await registerWorker(db, { lane: "general", kinds: ["index"], hostname: "h", pid: 1 });
      const source = databaseSource({
        sql: db,
        policy: () => makePolicy(),
        otherProcesses: 1,
        queryTimes,
      });
      for (const ms of [3, 900]) queryTimes.observe(ms);
      const samples = await source.collect(now);
      expect(find(samples, "algobrain.db.query_p95_ms")).toBe(900);
      const { poolSize } = makePolicy().infrastructure.database;
      expect(find(samples, "algobrain.workers.alive")).toBe(1);
      expect(find(samples, "algobrain.db.pool_size")).toBe(2 * poolSize);
      expect(find(samples, "algobrain.db.server_connections_max")).toBeGreaterThan(0);
      expect(find(samples, "algobrain.db.replica_lag")).toBeUndefined();
    });
  });

  it("count the tasks that work, and none of them on a developer's machine (HB-slo-04)", async () => {
    await withDatabase(async (db) => {
      const workers = [
        { hostname: "task-1", kinds: ["index"] },
        { hostname: "task-1", kinds: ["score"] },
        { hostname: "task-2", kinds: ["index"] },
        { hostname: "task-3", kinds: ["notice"] },
      ];
      for (const [pid, worker] of workers.entries())
        await registerWorker(db, { lane: "general", pid, ...worker });
      const tasksIn = async (environment: string) => {
        const policy = { ...makePolicy(), environment };
        const source = databaseSource({
          sql: db,
          policy: () => policy,
          otherProcesses: 1,
          queryTimes,
        });
        return find(await source.collect(now), "algobrain.workers.tasks");
      };
      expect([await tasksIn("production"), await tasksIn("local")]).toEqual([2, undefined]);
    });
  });

  it("say of each receiver whether notices to it fail, and how many alerts began", async () => {
    await withDatabase(async (db) => {
      const source = noticesSource({ sql: db, policy: () => makePolicy() });
      const failing = async () =>
        (await source.collect(now))
          .filter(({ metric }) => metric === "algobrain.notices.failing")
          .map(({ labels, value }) => [labels.receiver, value]);
      expect(await failing()).toEqual([
        ["ops", 0],
        ["oncall", 0],
      ]);
      const ids: number[] = [];
      for (const receiver of ["ops", "ops", "ops", "gone", "oncall"])
        ids.push(await db.transaction((tx) => enqueueNotice(tx, makeNotice({ receiver }))));
      const [thrice, twice, delivered, dead, unconfigured] = ids;
      const tries = [
        ...Array(3).fill(thrice),
        ...Array(2).fill(twice),
        ...Array(3).fill(delivered),
      ];
      for (const id of tries) await markNoticeFailed(db, id, { error: "503", tried: true });
      await markNoticeSent(db, delivered!, { reference: null, at: now });
      await markNoticeDead(db, dead!, "no receiver");
      // Nobody could carry it, so nobody tried; after a day it is no news.
      await db.query(
        "UPDATE control.notice SET created_at = now() - interval '25 h' WHERE id = $1",
        [unconfigured],
      );
      await markNoticeDead(db, unconfigured!, "not delivered for a day");
      expect(await failing()).toEqual([
        ["ops", 1],
        ["oncall", 0],
        ["gone", 1],
      ]);
    });
  });

  it("count alerts that began or got worse within a minute", async () => {
    await withDatabase(async (db) => {
      const event = {
        rule: "a",
        instance: "all",
        labels: {},
        level: "AR-01",
        severity: "sev1",
        value: 1,
      } as const;
      const kinds = ["pending", "fired", "upgraded", "downgraded", "resolved"] as const;
      await appendAlertEvents(
        db,
        kinds.map((kind) => ({ ...event, kind, at: Date.now() })),
      );
      await appendAlertEvents(db, [{ ...event, kind: "fired", at: Date.now() - 120_000 }]);
      const samples = await noticesSource({ sql: db, policy: () => makePolicy() }).collect(now);
      expect(find(samples, "algobrain.alerts.fired_per_minute")).toBe(2);
    });
  });

  it("tell how long the oldest quarantined job has waited", async () => {
    await withDatabase(async (db) => {
      expect(await readQuarantineAge(db)).toBe(0);
      await enqueueJobs(db, [
        { kind: "index", payload: {} },
        { kind: "index", payload: {} },
      ]);
      await db.query("UPDATE jobs SET status = 'quarantined'");
      await db.query("UPDATE jobs SET completed_at = now() - interval '2 days' WHERE seq = 1");
      expect(await readQuarantineAge(db)).toBeCloseTo(2 * 86_400, -1);
    });
  });

  it("measure this host as fractions", async () => {
    const samples = await hostSource(".").collect(now);
    expect(samples.map(({ metric }) => metric).slice(0, 2)).toEqual([
      "algobrain.host.disk_used_ratio",
      "algobrain.host.memory_used_ratio",
    ]);
    for (const { value } of samples.slice(0, 2)) expect(value > 0 && value < 1).toBe(true);
  });

  it("measure how busy the processors were between two looks", () => {
    const processor = (user: number, idle: number) => ({
      times: { user, nice: 0, sys: 10, idle, irq: 0 },
    });
    const before = timeOf([processor(100, 1_000), processor(100, 1_000)]);
    const after = timeOf([processor(200, 1_000), processor(180, 1_020)]);
    expect(busyShare(before, after)).toBe(0.9);
    expect(busyShare(before, before)).toBeNull();
    // One processor less than before: the sums have nothing in common.
    expect(busyShare(before, timeOf([processor(300, 1_200)]))).toBeNull();
  });

  it("show what the API carries beside what it is to carry, where that is said (AM-slo-01)", async () => {
    const samples = await apiOf({ perMinute: 42_000 }, 1_000).collect(now);
    const isLoad = ({ metric }: Sample) => metric.startsWith("algobrain.api.request_rate");
    expect(samples.filter(isLoad)).toMatchObject([
      { metric: "algobrain.api.request_rate", value: 42_000, labels: { host: "h1" } },
      { metric: "algobrain.api.request_rate_target", value: 60_000, labels: {} },
    ]);
  });
});
