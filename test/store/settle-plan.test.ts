import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { claimJobs } from "../../src/store/job-claims.js";
import { completeJobs } from "../../src/store/job-settle.js";
import { withDatabase } from "../support/database.js";

const RUNNING = 3_000;
const BATCH = 200;

/** Rows of jobs that were read so far, by any scan, over all sessions that have said so. */
async function rowsRead(db: Database): Promise<number> {
  await db.query("SELECT pg_stat_force_next_flush()");
  const { rows } = await db.query<{ read: number }>(
    "SELECT seq_tup_read + idx_tup_fetch AS read FROM pg_stat_user_tables WHERE relname = 'jobs'",
  );
  return Number(rows[0]!.read);
}

test("completions look their rows up, though statistics say that nothing runs", () =>
  withDatabase(async (db) => {
    await db.query(
      "INSERT INTO jobs (job_type, status, completed_at) SELECT 'index', 'completed', now() FROM generate_series(1, 20000)",
    );
    await db.query("ANALYZE jobs");
    await db.query("INSERT INTO jobs (job_type) SELECT 'index' FROM generate_series(1, $1::int)", [
      RUNNING,
    ]);
    const kinds = [{ kind: "index", free: RUNNING }];
    const held = await claimJobs(db, {
      ...{ workerId: "general-worker-1", kinds, max: RUNNING, safeModeKinds: [] },
    });
    const before = await rowsRead(db);
    // More often than a plan is made for the values at hand.
    for (let at = 0; at < RUNNING; at += BATCH) {
      const batch = held.slice(at, at + BATCH).map((job) => ({ held: job, result: { at } }));
      expect(await completeJobs(db, batch)).toEqual([]);
    }
    // Each row once to lock it and once to move it, and a little for what died in the index.
    expect((await rowsRead(db)) - before).toBeLessThan(RUNNING * 6);
    const { rows } = await db.query<{ count: number }>(
      "SELECT count(*) AS count FROM jobs WHERE (result ->> 'at')::int >= 0 AND fence = 2",
    );
    expect(rows[0]!.count).toBe(RUNNING);
  }));
