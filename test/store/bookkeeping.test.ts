import { describe, expect, test } from "vitest";
import { declareCompensation, listCompensations } from "../../src/store/compensations.js";
import { dropCompensations } from "../../src/store/job-rollbacks.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { publishPolicy, readPolicyDigest, readPolicyInForce } from "../../src/store/policies.js";
import { readQueueDepth, readQueueStats } from "../../src/store/queue-stats.js";
import { claimScheduleRun, listScheduleRuns, noteScheduledJob } from "../../src/store/schedules.js";
import { withDatabase } from "../support/database.js";

describe("a schedule", () => {
  const dueAt = new Date("2030-01-01T02:00:00Z");

  test("gives each due time to one of many leaders", () =>
    withDatabase(async (db) => {
      const run = { name: "nightly-gc", dueAt };
      const given = await Promise.all([1, 2, 3].map(() => claimScheduleRun(db, run)));
      expect(given.filter(Boolean)).toHaveLength(1);
      await noteScheduledJob(db, { name: "nightly-gc", jobSeq: 12 });
      expect(await listScheduleRuns(db)).toEqual([
        { name: "nightly-gc", lastDueAt: dueAt, jobSeq: 12 },
      ]);
    }));

  test("goes on to a later time, and never back to an earlier one", () =>
    withDatabase(async (db) => {
      const at = (hour: number) => new Date(Date.UTC(2030, 0, 1, hour));
      expect(await listScheduleRuns(db)).toEqual([]);
      expect(await claimScheduleRun(db, { name: "sync", dueAt: at(2) })).toBe(true);
      expect(await claimScheduleRun(db, { name: "sync", dueAt: at(3) })).toBe(true);
      expect(await claimScheduleRun(db, { name: "sync", dueAt: at(2) })).toBe(false);
      expect(await claimScheduleRun(db, { name: "sync", dueAt: at(3) })).toBe(false);
      expect(await listScheduleRuns(db)).toMatchObject([{ lastDueAt: at(3), jobSeq: null }]);
    }));
});

test("compensations come back last declared first, until each is done", () =>
  withDatabase(async (db) => {
    expect(await listCompensations(db, 1)).toEqual([]);
    const declare = (jobSeq: number, name: string) =>
      declareCompensation(db, { jobSeq, name, input: { of: name } });
    expect(await declare(1, "drop-table")).toBe(1);
    expect(await declare(1, "delete-file")).toBe(2);
    expect(await declare(2, "other")).toBe(1);
    expect(await listCompensations(db, 1)).toEqual([
      { jobSeq: 1, ordinal: 2, name: "delete-file", input: { of: "delete-file" } },
      { jobSeq: 1, ordinal: 1, name: "drop-table", input: { of: "drop-table" } },
    ]);
    await dropCompensations(db, 1);
    expect(await listCompensations(db, 1)).toEqual([]);
    expect(await listCompensations(db, 2)).toHaveLength(1);
  }));

test("the newest published policy is in force, and publishing it again changes nothing", () =>
  withDatabase(async (db) => {
    expect(await readPolicyInForce(db)).toBeNull();
    expect(await readPolicyDigest(db)).toBeNull();
    const publish = (digest: string) =>
      publishPolicy(db, { digest, bundle: { of: digest }, source: "policies" });
    const first = await publish("aaa");
    expect(first.created).toBe(true);
    expect(await publish("aaa")).toEqual({ ...first, created: false });
    await publish("bbb");
    const back = await publish("aaa");
    expect(back).toEqual({ revision: first.revision + 2, created: true });
    expect(await readPolicyInForce(db)).toMatchObject({
      ...{ digest: "aaa", bundle: { of: "aaa" }, source: "policies" },
    });
    expect(await readPolicyDigest(db)).toEqual({ revision: back.revision, digest: "aaa" });
  }));

describe("queue figures", () => {
  test("hold the twelve kinds, with zeros, and no internal one", () =>
    withDatabase(async (db) => {
      const kinds = ["score", "index", "index", "index", "notice", "own-kind"];
      const jobs = await enqueueJobs(
        db,
        kinds.map((kind) => ({ kind, payload: {} })),
      );
      await db.query("UPDATE jobs SET status = 'quarantined' WHERE seq = $1", [jobs[2]!.seq]);
      await db.query("UPDATE jobs SET status = 'completed' WHERE seq = $1", [jobs[3]!.seq]);
      const stats = await readQueueStats(db);
      expect(stats).toHaveLength(13);
      expect(stats[0]).toEqual({
        ...{ name: "index", waiting: 1, active: 0, completed: 1, failed: 1, total: 3 },
      });
      expect(stats[3]).toMatchObject({ name: "ingest", total: 0 });
      expect(stats.map(({ name }) => name)).not.toContain("notice");
      expect(stats.at(-1)).toMatchObject({ name: "own-kind", waiting: 1 });
    }));

  test("of depth count pending and due, with the age of the oldest due", () =>
    withDatabase(async (db) => {
      expect(await readQueueDepth(db)).toEqual([]);
      const in1h = new Date(Date.now() + 3_600_000);
      await enqueueJobs(db, [
        { kind: "score", payload: {}, scheduledAt: new Date(Date.now() - 5_000) },
        { kind: "score", payload: {}, scheduledAt: in1h },
        { kind: "index", payload: {}, scheduledAt: in1h },
        { kind: "notice", payload: {} },
      ]);
      const [score, index] = await readQueueDepth(db);
      expect(score).toMatchObject({ name: "score", pending: 2, due: 1 });
      expect(score!.oldestDueMs).toBeGreaterThan(4_000);
      expect(index).toEqual({ name: "index", pending: 1, due: 0, oldestDueMs: 0 });
    }));
});
