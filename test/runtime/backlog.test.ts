/** A backlog is claimed from where the claim before left off, and nothing in it is missed. */
import { describe, expect, test } from "vitest";
import { Backlog } from "../../src/runtime/backlog.js";
import type { Database } from "../../src/store/database.js";
import { completeJobs } from "../../src/store/job-settle.js";
import { enqueueJob, enqueueJobs, type NewJob } from "../../src/store/jobs.js";
import { withDatabase } from "../support/database.js";

const WORKER = "general-worker-1";
/** Longer than a mark holds. */
const LATER_MS = 10_000;

function makeBacklog(db: Database) {
  let nowMs = 0;
  const backlog = new Backlog(() => nowMs);
  const claim = (free: number, kinds = ["index"]) =>
    backlog.claim(db, {
      workerId: WORKER,
      kinds: kinds.map((kind) => ({ kind, free })),
      max: 100,
    });
  return {
    claim,
    numbers: async (free: number, kinds?: string[]) =>
      (await claim(free, kinds)).map(({ seq }) => seq),
    wait: () => {
      nowMs += LATER_MS;
    },
  };
}

function addJobs(db: Database, count: number, job: Partial<NewJob> = {}): Promise<number[]> {
  const jobs = Array.from({ length: count }, () => ({ kind: "index", payload: {}, ...job }));
  return enqueueJobs(db, jobs).then((added) => added.map(({ seq }) => seq));
}

/** Entries that scans of an index of `jobs` have stepped over, of dead rows too. */
async function entriesRead(db: Database, index: string): Promise<number> {
  await db.query("SELECT pg_stat_force_next_flush()");
  const { rows } = await db.query<{ read: number }>(
    "SELECT idx_tup_read AS read FROM pg_stat_user_indexes WHERE indexrelname = $1",
    [index],
  );
  return Number(rows[0]!.read);
}

/** Holds the rows that die from now on, until the work is done. */
async function underOldSnapshot(db: Database, work: () => Promise<void>): Promise<void> {
  await db.connect(async (session) => {
    await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await session.query("SELECT FROM jobs LIMIT 1");
    await work();
    await session.query("ROLLBACK");
  });
}

describe("a backlog", () => {
  test("goes on behind jobs that plain SQL made due since ever, and finds those that come later", () =>
    withDatabase(async (db) => {
      const sinceEver = (seqs: number[]) =>
        db.query("UPDATE jobs SET scheduled_at = '-infinity' WHERE seq = ANY ($1)", [seqs]);
      const seqs = await addJobs(db, 5);
      await sinceEver(seqs.slice(0, 2));
      const { numbers, wait } = makeBacklog(db);
      expect(await numbers(1)).toEqual([seqs[0]]);
      expect(await numbers(1)).toEqual([seqs[1]]);
      expect(await numbers(1)).toEqual([seqs[2]]);
      await sinceEver([seqs[4]!]);
      wait();
      expect(await numbers(1)).toEqual([seqs[4]]);
      expect(await numbers(1)).toEqual([seqs[3]]);
    }));

  test("comes in its order, whatever was enqueued at the same time", () =>
    withDatabase(async (db) => {
      const seqs = await addJobs(db, 25);
      const { numbers } = makeBacklog(db);
      const found = [await numbers(10), await numbers(10), await numbers(10), await numbers(10)];
      expect(found).toEqual([seqs.slice(0, 10), seqs.slice(10, 20), seqs.slice(20), []]);
    }));

  test("is looked at from its front when less is left than is wanted", () =>
    withDatabase(async (db) => {
      const seqs = await addJobs(db, 3);
      const { numbers } = makeBacklog(db);
      expect(await numbers(2)).toEqual(seqs.slice(0, 2));
      const { seq } = await enqueueJob(db, { kind: "index", payload: {}, priority: 10 });
      expect(await numbers(2)).toEqual([seqs[2], seq]);
    }));

  test("is looked at from its front after a time, so that a high priority does not wait for its end", () =>
    withDatabase(async (db) => {
      const seqs = await addJobs(db, 9);
      const { numbers, wait } = makeBacklog(db);
      await numbers(2);
      const { seq } = await enqueueJob(db, { kind: "index", payload: {}, priority: 10 });
      expect(await numbers(2)).toEqual(seqs.slice(2, 4));
      wait();
      expect(await numbers(2)).toEqual([seq, seqs[4]]);
    }));

  test("of one kind has no part in that of another", () =>
    withDatabase(async (db) => {
      const index = await addJobs(db, 4);
      const score = await addJobs(db, 2, { kind: "score" });
      const { numbers } = makeBacklog(db);
      expect(await numbers(2)).toEqual(index.slice(0, 2));
      expect((await numbers(2, ["index", "score"])).sort()).toEqual(
        [...index.slice(2), ...score].sort(),
      );
    }));

  test("is not walked from its front while an old snapshot keeps what died there", () =>
    withDatabase(async (db) => {
      await addJobs(db, 600);
      await underOldSnapshot(db, async () => {
        const { claim, wait } = makeBacklog(db);
        const read = async (work: () => Promise<unknown>) => {
          const before = await entriesRead(db, "idx_jobs_due");
          await work();
          return (await entriesRead(db, "idx_jobs_due")) - before;
        };
        for (let turn = 0; turn < 5; turn++) await claim(100);
        expect(await read(() => claim(10))).toBeLessThan(20);
        wait();
        expect(await read(() => claim(10))).toBeGreaterThan(500);
      });
    }));

  test("is settled by key, whatever the statistics say of dead rows", () =>
    withDatabase(async (db) => {
      await addJobs(db, 2_000);
      await underOldSnapshot(db, async () => {
        const { claim } = makeBacklog(db);
        const settle = async (jobs: number) => {
          const held = await claim(jobs);
          await completeJobs(
            db,
            held.map((job) => ({ held: job, result: null })),
          );
        };
        for (let turn = 0; turn < 19; turn++) await settle(100);
        await db.query("ANALYZE jobs");
        const before = await entriesRead(db, "idx_jobs_held");
        await settle(20);
        expect((await entriesRead(db, "idx_jobs_held")) - before).toBeLessThan(100);
      });
    }));
});
