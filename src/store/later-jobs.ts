/** Jobs that must begin after what asked for them: one that runs already may have read before it happened. */
import type { Sql } from "./database.js";
import { type Enqueued, enqueueJobs } from "./jobs.js";
import type { KeyedJob } from "./unique-jobs.js";

/**
 * One of the key that still waits is the answer, at the time it has. One that runs is let be, and a new one takes
 * over its key. Run it in the transaction that writes what the job is to see.
 */
export async function enqueueLater(tx: Sql, jobs: readonly KeyedJob[]): Promise<Enqueued[]> {
  if (jobs.length === 0) return [];
  await tx.query(
    // Locked in the order in which the runtime locks jobs, so that none waits for another in a circle.
    `WITH held AS MATERIALIZED (
       SELECT seq FROM public.jobs WHERE unique_key = ANY ($1::text[]) AND status = 'running' ORDER BY seq FOR UPDATE
     )
     UPDATE public.jobs j SET unique_key = NULL FROM held WHERE j.seq = held.seq AND j.status = 'running'`,
    [jobs.map(({ uniqueKey }) => uniqueKey)],
    "free-running-keys",
  );
  return enqueueJobs(tx, jobs);
}
