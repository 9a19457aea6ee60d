/** A completion is written whatever others do to the row meanwhile, as long as it is still ours. */
import { describe, expect, test } from "vitest";
import type { HeldJob } from "../../src/job/job.js";
import type { Database } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJobs } from "../../src/store/job-settle.js";
import { enqueueJobs, readJob } from "../../src/store/jobs.js";
import { enqueueNewest } from "../../src/store/unique-jobs.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";

const RESULT = { found: 7 };

async function claimTwo(db: Database): Promise<HeldJob[]> {
  await enqueueJobs(
    db,
    [1, 2].map((i) => ({ kind: "index", payload: { i } })),
  );
  return claimAny(db);
}

function claimAny(db: Database): Promise<HeldJob[]> {
  const kinds = [{ kind: "index", free: 10 }];
  return claimJobs(db, { workerId: "general-worker-1", kinds, max: 10 });
}

/** The batch waits for the lock of a row, and finds it as `change` has left it. */
async function completeBehind(db: Database, held: readonly HeldJob[], change: string) {
  let completing: Promise<HeldJob[]> | undefined;
  await db.transaction(async (tx) => {
    await tx.query(`UPDATE jobs SET ${change} WHERE seq = $1`, [held[0]?.seq]);
    completing = completeJobs(
      db,
      held.map((job) => ({ held: job, result: RESULT })),
    );
    await until(async () => (await waitsForLock(db)) > 0, "the completion waits for the row");
  });
  return completing;
}

async function waitsForLock(db: Database): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows[0]?.count ?? 0;
}

const countLate = async (db: Database) =>
  (await db.query<{ count: number }>("SELECT count::int FROM control.late_settle")).rows;

describe("a completion", () => {
  test("follows a row of which somebody sets the priority at that moment", () =>
    withDatabase(async (db) => {
      const held = await claimTwo(db);
      expect(await completeBehind(db, held, "priority = 10")).toEqual([]);
      for (const { seq } of held)
        expect(await readJob(db, seq)).toMatchObject({ status: "completed", result: RESULT });
      expect((await readJob(db, held[0]!.seq))?.priority).toBe(10);
      expect(await countLate(db)).toEqual([]);
    }));

  test("changes nothing of a row that was cancelled at that moment, and all else is written", () =>
    withDatabase(async (db) => {
      const held = await claimTwo(db);
      const late = await completeBehind(db, held, "status = 'cancelled', fence = fence + 1");
      expect(late).toEqual([held[0]]);
      expect((await readJob(db, held[0]!.seq))?.status).toBe("cancelled");
      expect((await readJob(db, held[1]!.seq))?.status).toBe("completed");
      expect(await countLate(db)).toEqual([{ count: 1 }]);
    }));

  test("is lost to none of those who meanwhile replace what waits under the same key", () =>
    withDatabase(async (db) => {
      let asking = true;
      const late: HeldJob[] = [];
      const work = async () => {
        for (let held = [...(await claimAny(db))]; asking || held.length > 0; ) {
          for (const one of held)
            late.push(...(await completeJobs(db, [{ held: one, result: null }])));
          held = await claimAny(db);
        }
      };
      const ask = async () => {
        for (let i = 0; i < 60; i++) {
          const job = { kind: "index", payload: { i }, uniqueKey: `key ${i % 3}` };
          await db.transaction((tx) => enqueueNewest(tx, job));
        }
      };
      const working = Promise.all([work(), work()]);
      await Promise.all([ask(), ask(), ask()]);
      asking = false;
      await working;
      expect(late).toEqual([]);
    }));
});
