import { describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import { openDatabase } from "../../src/store/database.js";
import { logHealing } from "../../src/store/healing.js";
import { retryJob } from "../../src/store/job-actions.js";
import { listJobs } from "../../src/store/job-list.js";
import { enqueueJob, enqueueJobs, readJob, readJobHistory } from "../../src/store/jobs.js";
import { withDatabase } from "../support/database.js";

describe("enqueueing", () => {
  test("fills what is not said, and keeps what is (HB-db-04, -07, -08)", () =>
    withDatabase(async (db) => {
      const plain = await enqueueJob(db, { kind: "index", payload: {} });
      expect(plain).toEqual({ seq: plain.seq, id: `job-${plain.seq}`, created: true });
      expect(await readJob(db, plain.seq)).toMatchObject({
        ...{ status: "pending", priority: 5, attempts: 0, error: null, completedAt: null },
      });
      const scheduledAt = new Date("2030-01-02T03:04:05.678Z");
      const full = await enqueueJob(db, {
        kind: "score",
        payload: { repo_id: "r1" },
        priority: 10,
        scheduledAt,
        parentSeq: plain.seq,
        requestedBy: "cli:ann",
      });
      const job = await readJob(db, full.seq);
      expect(job).toMatchObject({ payload: { repo_id: "r1" }, priority: 10, scheduledAt });
      const { rows } = await db.query(
        "SELECT parent_seq, requested_by FROM jobs WHERE parent_seq IS NOT NULL",
      );
      expect(rows).toEqual([{ parent_seq: plain.seq, requested_by: "cli:ann" }]);
    }));

  test("many answers in the order of asking, also with keys among them", () =>
    withDatabase(async (db) => {
      const older = await enqueueJob(db, { kind: "sync", payload: {}, uniqueKey: "sync:1" });
      const answers = await enqueueJobs(db, [
        { kind: "index", payload: {} },
        { kind: "sync", payload: {}, uniqueKey: "sync:1" },
        { kind: "sync", payload: {}, uniqueKey: "sync:2" },
        { kind: "sync", payload: {}, uniqueKey: "sync:2" },
      ]);
      expect(answers.map(({ created }) => created)).toEqual([true, false, true, false]);
      expect(answers[1]!.seq).toBe(older.seq);
      expect(answers[3]!.seq).toBe(answers[2]!.seq);
      expect(await listJobs(db, { limit: 10 })).toHaveLength(3);
      expect(await enqueueJobs(db, [])).toEqual([]);
    }));

  test("with a taken key answers the job that has it, until that one has ended", () =>
    withDatabase(async (db) => {
      const job = { kind: "score", payload: {}, uniqueKey: "score:r1" };
      const first = await enqueueJob(db, job);
      expect(await enqueueJob(db, job)).toEqual({ ...first, created: false });
      await db.query("UPDATE jobs SET status = 'cancelled'");
      expect((await enqueueJob(db, job)).created).toBe(true);
    }));

  test("with one key from many connections at once makes one job", () =>
    withDatabase(async (db, url) => {
      const other = openDatabase({ url, poolMax: 5, applicationName: "other", ssl: false });
      try {
        const job = { kind: "score", payload: {}, uniqueKey: "score:r1" };
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, index) => enqueueJob(index % 2 ? db : other, job)),
        );
        expect(answers.filter(({ created }) => created)).toHaveLength(1);
        expect(new Set(answers.map(({ seq }) => seq)).size).toBe(1);
      } finally {
        await other.close();
      }
    }));

  test("belongs to the caller's transaction", () =>
    withDatabase(async (db) => {
      const work = db.transaction(async (tx) => {
        await enqueueJob(tx, { kind: "index", payload: {} });
        throw fault.data("TEST", "changed my mind");
      });
      await expect(work).rejects.toMatchObject({ code: "TEST" });
      expect(await listJobs(db, { limit: 10 })).toEqual([]);
    }));
});

test("a job that is not there reads as null", () =>
  withDatabase(async (db) => {
    expect(await readJob(db, 4711)).toBeNull();
  }));

test("jobs are listed newest first, by status, kind and page", () =>
  withDatabase(async (db) => {
    const jobs = await enqueueJobs(
      db,
      ["index", "score", "index", "score"].map((kind) => ({ kind, payload: {} })),
    );
    const seqs = jobs.map(({ seq }) => seq);
    await db.query("UPDATE jobs SET status = 'failed' WHERE seq = $1", [seqs[2]]);
    const list = async (filter: object) =>
      (await listJobs(db, { limit: 10, ...filter })).map(({ seq }) => seqs.indexOf(seq));
    expect(await list({})).toEqual([3, 2, 1, 0]);
    expect(await list({ kind: "index" })).toEqual([2, 0]);
    expect(await list({ status: "failed" })).toEqual([2]);
    expect(await list({ limit: 2 })).toEqual([3, 2]);
    expect(await list({ limit: 2, beforeSeq: seqs[2] })).toEqual([1, 0]);
    expect(await list({ kind: "gc" })).toEqual([]);
  }));

test("a job's history holds what healing did and what people did", () =>
  withDatabase(async (db) => {
    const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
    expect(await readJobHistory(db, id)).toEqual({ healing: [], audit: [] });
    await db.query("UPDATE jobs SET status = 'failed', error = 'boom' WHERE seq = $1", [seq]);
    await logHealing(db, {
      ...{ jobId: id, workerId: "index-worker-1", failureType: "transient", strategy: "retry" },
      ...{ attemptNumber: 1, context: { error: "boom" }, operatorNotified: false },
    });
    await retryJob(db, { seq, actor: "cli:ann", reason: "disk is back" });
    const history = await readJobHistory(db, id);
    expect(history.healing).toMatchObject([{ strategy: "retry", success: null }]);
    expect(history.audit.map(({ action }) => action)).toEqual([
      "job.changed-by-sql",
      "job.retried",
    ]);
    expect(history.audit[1]).toMatchObject({
      actor: "cli:ann",
      details: { status: "failed", error: "boom", reason: "disk is back", forced: false },
    });
  }));
