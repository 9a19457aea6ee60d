/** Jobs that a living worker holds in the database but does not know of: their claim's answer was lost on the way. */
import type { Sql } from "./database.js";

/**
 * Gives back what this worker has held for longer than `graceMs` without knowing it; no attempt is
 * burnt, for none was made. Returns how many there were.
 */
export async function releaseForgottenJobs(
  sql: Sql,
  held: {
    readonly workerId: string;
    /** Numbers of the jobs that the worker runs or is settling. */
    readonly known: readonly number[];
    readonly graceMs: number;
  },
): Promise<number> {
  const { rowCount } = await sql.query(
    `UPDATE public.jobs SET status = 'pending', fence = fence + 1, worker_id = NULL, started_at = NULL,
       attempts = attempts - 1
     WHERE worker_id = $1 AND status = 'running' AND seq <> ALL ($2::bigint[])
       AND started_at < now() - $3 * interval '1 ms'`,
    [held.workerId, held.known, held.graceMs],
  );
  return rowCount;
}
