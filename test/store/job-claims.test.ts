import { describe, expect, test } from "vitest";
import type { HeldJob } from "../../src/job/job.js";
import type { Database } from "../../src/store/database.js";
import { type ClaimOptions, claimJobs } from "../../src/store/job-claims.js";
import {
  completeJob,
  failJob,
  findLostJobs,
  releaseJob,
  rescheduleJob,
  settleJobs,
} from "../../src/store/job-settle.js";
import { enqueueJob, enqueueJobs, readJob } from "../../src/store/jobs.js";
import { pauseQueue, resumeQueue } from "../../src/store/pauses.js";
import { enterSafeMode, exitSafeMode } from "../../src/store/safe-mode.js";
import { withDatabase } from "../support/database.js";

const WORKER = "general-worker-1";

async function lateSettles(db: Database) {
  const { rows } = await db.query("SELECT job_type AS kind, count FROM control.late_settle");
  return rows;
}

function claim(db: Database, options: Partial<ClaimOptions> = {}): Promise<HeldJob[]> {
  return claimJobs(db, {
    workerId: WORKER,
    kinds: [{ kind: "index", free: 10 }],
    max: 100,
    ...options,
  });
}

async function claimOne(db: Database): Promise<HeldJob> {
  await enqueueJob(db, { kind: "index", payload: {} });
  const [held] = await claim(db);
  return held!;
}

/** Rows of jobs that this session has read so far, by any scan. */
async function tuplesRead(db: Database): Promise<number> {
  await db.query("SELECT pg_stat_force_next_flush()");
  const { rows } = await db.query<{ read: number }>(
    "SELECT seq_tup_read + idx_tup_fetch AS read FROM pg_stat_user_tables WHERE relname = 'jobs'",
  );
  return Number(rows[0]!.read);
}

const slots = (kind: string, free = 10) => ({ kind, free });

describe("a claim", () => {
  test("of an empty queue is empty", () =>
    withDatabase(async (db) => {
      expect(await claim(db)).toEqual([]);
      expect(await claim(db, { kinds: [] })).toEqual([]);
    }));

  test("marks the row with worker, fence, attempt and start", () =>
    withDatabase(async (db) => {
      const { seq } = await enqueueJob(db, { kind: "index", payload: { path: "/src" } });
      const [held] = await claim(db);
      expect(held).toMatchObject({ seq, id: `job-${seq}`, attempt: 1, fence: 1, crashCount: 0 });
      expect(held!.payload).toEqual({ path: "/src" });
      expect(await readJob(db, seq)).toMatchObject({ status: "running", workerId: WORKER });
      expect((await readJob(db, seq))!.startedAt).not.toBeNull();
    }));

  test.each(["2026-03-01T10:20:30.457Z", "1969-12-31T23:59:59.999Z"])(
    "says when it was created: %s",
    (at) =>
      withDatabase(async (db) => {
        await db.query("INSERT INTO jobs (job_type, created_at) VALUES ('index', $1)", [at]);
        expect((await claim(db))[0]!.createdAt).toEqual(new Date(at));
      }),
  );

  test.each([
    ["infinity", "+275760-09-13T00:00:00.000Z"],
    ["-infinity", "-271821-04-20T00:00:00.000Z"],
  ])("takes what was created at %s by plain SQL, and with it what stands behind it", (at, said) =>
    withDatabase(async (db) => {
      await db.query("INSERT INTO jobs (job_type, created_at) VALUES ('index', $1)", [at]);
      await enqueueJob(db, { kind: "index", payload: {} });
      const held = await claim(db);
      expect(held.map(({ createdAt }) => createdAt.toISOString())).toEqual([
        said,
        expect.any(String),
      ]);
    }),
  );

  test("takes larger priority first, then the longest due, over all kinds", () =>
    withDatabase(async (db) => {
      const past = (ms: number) => new Date(Date.now() - ms);
      const jobs = await enqueueJobs(db, [
        { kind: "index", payload: {}, priority: 1 },
        { kind: "score", payload: {}, scheduledAt: past(1_000) },
        { kind: "index", payload: {}, scheduledAt: past(9_000) },
        { kind: "score", payload: {}, priority: 10 },
      ]);
      const held = await claim(db, { kinds: [slots("index"), slots("score")], max: 3 });
      expect(held.map(({ seq }) => seq)).toEqual([3, 2, 1].map((index) => jobs[index]!.seq));
    }));

  test("leaves a job alone that is not yet due", () =>
    withDatabase(async (db) => {
      await enqueueJob(db, {
        kind: "index",
        payload: {},
        scheduledAt: new Date(Date.now() + 3_600_000),
      });
      expect(await claim(db)).toEqual([]);
      await db.query("UPDATE jobs SET scheduled_at = now()");
      expect(await claim(db)).toHaveLength(1);
    }));

  test("takes no more of a kind than this process has slots", () =>
    withDatabase(async (db) => {
      await enqueueJobs(
        db,
        Array.from({ length: 5 }, () => ({ kind: "index", payload: {} })),
      );
      expect(await claim(db, { kinds: [slots("index", 2)] })).toHaveLength(2);
      expect(await claim(db, { kinds: [slots("index", 0)] })).toHaveLength(0);
      expect(await claim(db, { kinds: [slots("score")] })).toHaveLength(0);
    }));

  test("passes a paused kind by until it is resumed or the pause expires", () =>
    withDatabase(async (db) => {
      await enqueueJobs(db, [
        { kind: "index", payload: {} },
        { kind: "score", payload: {} },
      ]);
      const pause = { kind: "index", reason: "migration", by: "cli:ann" };
      await pauseQueue(db, { ...pause, expiresAt: null });
      const kinds = [slots("index"), slots("score")];
      expect((await claim(db, { kinds })).map(({ kind }) => kind)).toEqual(["score"]);
      await resumeQueue(db, { kind: "index", by: "cli:ann" });
      expect(await claim(db, { kinds })).toHaveLength(1);

      await enqueueJob(db, { kind: "index", payload: {} });
      await pauseQueue(db, { ...pause, expiresAt: new Date(Date.now() - 1) });
      expect(await claim(db, { kinds })).toHaveLength(1);
    }));

  test("in safe mode takes only what heals, and the internal kinds", () =>
    withDatabase(async (db) => {
      const names = ["index", "repair", "audit", "alert", "runbook", "notice"];
      await enqueueJobs(
        db,
        names.map((kind) => ({ kind, payload: {} })),
      );
      await enterSafeMode(db, { reason: "disk gone", by: "healdec" });
      const kinds = names.map((kind) => slots(kind));
      const held = await claim(db, { kinds });
      expect(held.map(({ kind }) => kind)).toEqual(names.slice(1));
      await exitSafeMode(db, { by: "cli:ann", reason: "repaired" });
      expect((await claim(db, { kinds })).map(({ kind }) => kind)).toEqual(["index"]);
    }));

  test("passes everything public by while all is paused", () =>
    withDatabase(async (db) => {
      await enqueueJobs(db, [
        { kind: "index", payload: {} },
        { kind: "runbook", payload: {} },
      ]);
      await db.query(
        "INSERT INTO control.queue_pause (job_type, reason, paused_by) VALUES ('*', 'r', 'b')",
      );
      const kinds = [slots("index"), slots("runbook")];
      expect((await claim(db, { kinds })).map(({ kind }) => kind)).toEqual(["runbook"]);
    }));

  test("lets no job starve: a level of priority is worth ten minutes of waiting (X-63)", () =>
    withDatabase(async (db) => {
      const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
      const [old, urgent, recent] = await enqueueJobs(db, [
        { kind: "index", payload: {}, priority: 1, scheduledAt: ago(95) },
        { kind: "index", payload: {}, priority: 10 },
        { kind: "index", payload: {}, priority: 1, scheduledAt: ago(85) },
      ]);
      const held = await claim(db);
      expect(held.map(({ seq }) => seq)).toEqual([old, urgent, recent].map((job) => job!.seq));
    }));

  test("reads no row that is finished or of the future", () =>
    withDatabase(async (db) => {
      await db.query(
        `INSERT INTO jobs (job_type, status, completed_at) SELECT 'index', 'completed', now() FROM generate_series(1, 20000)`,
      );
      await db.query(
        `INSERT INTO jobs (job_type, scheduled_at) SELECT 'index', now() + interval '1 day' FROM generate_series(1, 5000)`,
      );
      await enqueueJob(db, { kind: "index", payload: {} });
      await db.query("ANALYZE jobs");
      const before = await tuplesRead(db);
      expect(await claim(db)).toHaveLength(1);
      expect(await claim(db)).toHaveLength(0);
      expect((await tuplesRead(db)) - before).toBeLessThan(20);
    }));

  test("gives each job to one of many claimers that do not wait for each other", () =>
    withDatabase(async (db) => {
      await enqueueJobs(
        db,
        Array.from({ length: 50 }, () => ({ kind: "index", payload: {} })),
      );
      const claims = Array.from({ length: 8 }, () => claim(db, { max: 10 }));
      const held = (await Promise.all(claims)).flat();
      expect(new Set(held.map(({ seq }) => seq)).size).toBe(held.length);
      expect(held.length).toBeGreaterThanOrEqual(10);
    }));
});

describe("a held job", () => {
  test("completes with its result", () =>
    withDatabase(async (db) => {
      const held = await claimOne(db);
      expect(await completeJob(db, held, { repos: 3 })).toBe(true);
      const job = await readJob(db, held.seq);
      expect(job).toMatchObject({ status: "completed", result: { repos: 3 }, error: null });
      expect(job).toMatchObject({ workerId: null, attempts: 1 });
      expect(job!.completedAt).not.toBeNull();
    }));

  test("completes with a result that is a list, a text or null", () =>
    withDatabase(async (db) => {
      for (const result of [[1, "a"], "done", null]) {
        const held = await claimOne(db);
        await completeJob(db, held, result);
        expect((await readJob(db, held.seq))!.result).toEqual(result);
      }
    }));

  test("fails or is quarantined with its error and the time (HB-db-09)", () =>
    withDatabase(async (db) => {
      for (const status of ["failed", "quarantined"] as const) {
        const held = await claimOne(db);
        expect(await failJob(db, held, { status, error: "repo_id is missing" })).toBe(true);
        const job = await readJob(db, held.seq);
        expect(job).toMatchObject({ status, error: "repo_id is missing" });
        expect(job!.completedAt).not.toBeNull();
      }
    }));

  test("is rescheduled with its attempt burnt, or not (X-16)", () =>
    withDatabase(async (db) => {
      for (const burnAttempt of [true, false]) {
        const held = await claimOne(db);
        const next = { delayMs: 60_000, error: "503", burnAttempt };
        expect(await rescheduleJob(db, held, next)).toBe(true);
        const job = await readJob(db, held.seq);
        expect(job).toMatchObject({ status: "pending", error: "503" });
        const waitMs = job!.scheduledAt.getTime() - Date.now();
        expect(waitMs).toBeGreaterThan(50_000);
        expect(waitMs).toBeLessThanOrEqual(60_000);
        expect(job).toMatchObject({ attempts: burnAttempt ? 1 : 0, startedAt: null });
      }
    }));

  test("is released to run at once, as if it had not been taken", () =>
    withDatabase(async (db) => {
      const held = await claimOne(db);
      expect(await releaseJob(db, held)).toBe(true);
      const [again] = await claim(db, { workerId: "general-worker-2" });
      expect(again).toMatchObject({ seq: held.seq, attempt: 1 });
      expect(again!.fence).toBeGreaterThan(held.fence);
    }));

  test("settles once: the second caller changes nothing and is counted", () =>
    withDatabase(async (db) => {
      const held = await claimOne(db);
      expect(await completeJob(db, held, null)).toBe(true);
      expect(await failJob(db, held, { status: "failed", error: "late" })).toBe(false);
      expect(await readJob(db, held.seq)).toMatchObject({ status: "completed", error: null });
      expect(await lateSettles(db)).toEqual([{ kind: "index", count: 1 }]);
    }));

  test("that was reset by plain SQL is not overwritten by its late finisher (X-01)", () =>
    withDatabase(async (db) => {
      const held = await claimOne(db);
      await db.query(
        `UPDATE jobs SET status = 'pending', attempts = 0, error = NULL, scheduled_at = NOW() WHERE id = '${held.id}'`,
      );
      expect(await findLostJobs(db, WORKER, [held])).toEqual([held.seq]);
      expect(await completeJob(db, held, "stale")).toBe(false);
      expect(await readJob(db, held.seq)).toMatchObject({ status: "pending", result: null });

      const [again] = await claim(db, { workerId: "general-worker-2" });
      expect(await rescheduleJob(db, held, { delayMs: 0, error: "x", burnAttempt: true })).toBe(
        false,
      );
      expect(await completeJob(db, again!, "fresh")).toBe(true);
      expect(await readJob(db, held.seq)).toMatchObject({ status: "completed", result: "fresh" });
      expect(await lateSettles(db)).toEqual([{ kind: "index", count: 2 }]);
    }));

  test("and a reset by plain SQL race on two connections: the job always ends up reset", () =>
    withDatabase(async (db) => {
      let late = 0;
      for (let round = 0; round < 20; round++) {
        const held = await claimOne(db);
        const [inTime] = await Promise.all([
          completeJob(db, held, round),
          db.query("UPDATE jobs SET status = 'pending', attempts = 0 WHERE seq = $1", [held.seq]),
        ]);
        if (!inTime) late += 1;
        expect(await readJob(db, held.seq)).toMatchObject({ status: "pending", result: null });
        await db.query("UPDATE jobs SET status = 'cancelled' WHERE seq = $1", [held.seq]);
      }
      expect(await lateSettles(db)).toEqual(late > 0 ? [{ kind: "index", count: late }] : []);
    }));
});

test("many settle in one statement, and only the lost ones are left out", () =>
  withDatabase(async (db) => {
    await enqueueJobs(
      db,
      Array.from({ length: 4 }, () => ({ kind: "index", payload: {} })),
    );
    const [first, second, third, lost] = await claim(db);
    await db.query("UPDATE jobs SET status = 'cancelled' WHERE seq = $1", [lost!.seq]);
    const settled = await settleJobs(db, [
      { held: first!, to: "completed", result: 1 },
      { held: second!, to: "failed", error: "no" },
      { held: third!, to: "pending", delayMs: 5_000, error: null, burnAttempt: true },
      { held: lost!, to: "completed", result: 4 },
    ]);
    expect([...settled].sort()).toEqual([first, second, third].map((held) => held!.seq).sort());
    const statuses = await db.query<{ status: string }>("SELECT status FROM jobs ORDER BY seq");
    expect(statuses.rows.map(({ status }) => status)).toEqual([
      "completed",
      "failed",
      "pending",
      "cancelled",
    ]);
    expect(await settleJobs(db, [])).toEqual(new Set());
  }));

test("held jobs are lost by cancel and healing, not by time", () =>
  withDatabase(async (db) => {
    const held = await claimOne(db);
    expect(await findLostJobs(db, WORKER, [])).toEqual([]);
    expect(await findLostJobs(db, WORKER, [held])).toEqual([]);
    await db.query("UPDATE jobs SET payload = '{\"fixed\": true}' WHERE seq = $1", [held.seq]);
    expect(await findLostJobs(db, WORKER, [held])).toEqual([]);
    await db.query("UPDATE jobs SET status = 'cancelled' WHERE seq = $1", [held.seq]);
    expect(await findLostJobs(db, WORKER, [held])).toEqual([held.seq]);
  }));
