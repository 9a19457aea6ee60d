import { describe, expect, test } from "vitest";
import type { HeldJob } from "../../src/job/job.js";
import type { Database } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJob } from "../../src/store/job-settle.js";
import { enqueueJob, enqueueJobs, readJob } from "../../src/store/jobs.js";
import { enqueueNewest, enqueueOncePer } from "../../src/store/unique-jobs.js";
import { withDatabase } from "../support/database.js";

const HOUR_MS = 3_600_000;
const job = (payload = {}) => ({ kind: "index", payload, uniqueKey: "index:/src" });

async function claimAll(db: Database): Promise<HeldJob[]> {
  const kinds = [{ kind: "index", free: 10 }];
  return claimJobs(db, { workerId: "general-worker-1", kinds, max: 10 });
}

test("two statements with the same keys in opposite orders both get their answers", () =>
  withDatabase(async (db) => {
    const jobs = Array.from({ length: 400 }, (_, i) => ({ ...job(), uniqueKey: `index:/${i}` }));
    // One in three rounds ended in a deadlock.
    for (let round = 0; round < 15; round++) {
      const answers = await Promise.all([
        enqueueJobs(db, jobs),
        enqueueJobs(db, jobs.toReversed()),
      ]);
      const [one, other] = answers.map((list) => list.map(({ seq }) => seq));
      expect(other?.toReversed()).toEqual(one);
      await db.query("DELETE FROM jobs");
    }
  }));

describe("once per time", () => {
  test("gives one job, also when it has ended, until the time is over", () =>
    withDatabase(async (db) => {
      const first = await enqueueOncePer(db, job(), HOUR_MS);
      expect(first.created).toBe(true);
      const [held] = await claimAll(db);
      await completeJob(db, held!, null);
      expect(await enqueueOncePer(db, job(), HOUR_MS)).toEqual({ ...first, created: false });
      await db.query("UPDATE control.unique_hold SET until = now()");
      const next = await enqueueOncePer(db, job(), HOUR_MS);
      expect(next).toMatchObject({ created: true });
      expect(next.seq).not.toBe(first.seq);
    }));

  test("gives one job to twenty who ask at once, and rolls back with its transaction", () =>
    withDatabase(async (db) => {
      const asked = Array.from({ length: 20 }, () => enqueueOncePer(db, job(), HOUR_MS));
      const answers = await Promise.all(asked);
      expect(answers.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(answers.map(({ seq }) => seq)).size).toBe(1);

      const other = { ...job(), uniqueKey: "other" };
      const failing = db.transaction(async (tx) => {
        await enqueueOncePer(tx, other, HOUR_MS);
        throw new Error("no");
      });
      await expect(failing).rejects.toThrow("no");
      expect(await enqueueOncePer(db, other, HOUR_MS)).toMatchObject({ created: true });
    }));
});

describe("the newest", () => {
  test("is not held to what was tried before it came", () =>
    withDatabase(async (db) => {
      const { seq } = await enqueueJob(db, { ...job(), requestedBy: "cli:ann" });
      await db.query("UPDATE jobs SET attempts = 4, crash_count = 2, error = 'FLAKY: no luck'");
      await db.transaction((tx) => enqueueNewest(tx, { ...job({ n: 2 }), requestedBy: "cli:bob" }));
      const { rows } = await db.query("SELECT attempts, crash_count, error FROM jobs");
      expect(rows).toEqual([{ attempts: 0, crash_count: 0, error: null }]);
      expect(await readJob(db, seq)).toMatchObject({ payload: { n: 2 }, requestedBy: "cli:bob" });
    }));

  test("replaces what waits, and waits for what runs", () =>
    withDatabase(async (db) => {
      const enqueue = (payload: object) => db.transaction((tx) => enqueueNewest(tx, job(payload)));
      const first = await enqueue({ v: 1 });
      expect(await enqueue({ v: 2 })).toEqual({ ...first, created: false });
      const [running] = await claimAll(db);
      expect(running).toMatchObject({ seq: first.seq, payload: { v: 2 } });

      const second = await enqueue({ v: 3 });
      expect(second.created).toBe(true);
      expect(await enqueue({ v: 4 })).toEqual({ ...second, created: false });
      expect(await completeJob(db, running!, "done")).toBe(true);
      expect((await readJob(db, second.seq))!.payload).toEqual({ v: 4 });
    }));
});

describe("jobs that are enqueued at the same time", () => {
  test("share a statement, and each is answered with its own", () =>
    withDatabase(async (db) => {
      const asked = Array.from({ length: 50 }, (_, v) =>
        enqueueJob(db, { kind: "index", payload: { v } }),
      );
      const answers = await Promise.all(asked);
      const { rows } = await db.query<{ transactions: number; count: number }>(
        "SELECT count(DISTINCT xmin::text)::int AS transactions, count(*)::int AS count FROM jobs",
      );
      expect(rows[0]!.count).toBe(50);
      expect(rows[0]!.transactions).toBeLessThan(5);
      for (const [v, { seq }] of answers.entries()) {
        if (v % 10 === 0) expect((await readJob(db, seq))!.payload).toEqual({ v });
      }
    }));

  test("do not spoil each other: one payload that the database refuses fails alone", () =>
    withDatabase(async (db) => {
      const asked = ["fine", "zero \u0000", "good"].map((text) =>
        enqueueJob(db, { kind: "index", payload: { text } }),
      );
      const [fine, zero, good] = await Promise.allSettled(asked);
      expect([fine!.status, zero!.status, good!.status]).toEqual([
        "fulfilled",
        "rejected",
        "fulfilled",
      ]);
    }));
});
