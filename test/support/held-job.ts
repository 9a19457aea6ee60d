/** A job that some worker holds: claimed by hand, for tests of what happens while it runs. */
import type { HeldJob } from "../../src/job/job.js";
import type { Database } from "../../src/store/database.js";
import { HELD_COLUMNS } from "../../src/store/job-columns.js";
import { enqueueJob } from "../../src/store/jobs.js";

export async function holdNewJob(db: Database, kind = "index"): Promise<HeldJob> {
  const { seq } = await enqueueJob(db, { kind, payload: {} });
  return holdJob(db, seq);
}

/** Also a job that runs already: as another claim after a reset would. */
export async function holdJob(db: Database, seq: number): Promise<HeldJob> {
  const { rows } = await db.query<HeldJob>(
    `UPDATE public.jobs SET status = 'running', fence = fence + 1, attempts = attempts + 1, started_at = now(),
       worker_id = 'general-worker-1'
     WHERE seq = $1 RETURNING ${HELD_COLUMNS}`,
    [seq],
  );
  return rows[0]!;
}
