/** Worker processes, one row each, and what becomes of the jobs of those that died. Time is the database's. */
import type { HeldJob } from "../job/job.js";
import type { Lane } from "../job/kinds.js";
import type { Sql } from "./database.js";
import { HELD_COLUMNS } from "./job-columns.js";

export type WorkerStatus = "alive" | "draining" | "stopped" | "dead";

export interface NewWorker {
  readonly lane: Lane;
  readonly kinds: readonly string[];
  readonly hostname: string;
  readonly pid: number;
}

export interface Worker {
  /** `general-worker-3` (HB-db-13). */
  readonly id: string;
  readonly kinds: readonly string[];
  readonly status: WorkerStatus;
  readonly hostname: string | null;
  readonly pid: number | null;
  readonly startedAt: Date;
  readonly lastHeartbeat: Date;
}

const WORKER_COLUMNS = `w.id, w.kinds, w.status, w.hostname, w.pid, w.started_at AS "startedAt",
  w.last_heartbeat AS "lastHeartbeat"`;

export async function registerWorker(
  sql: Sql,
  worker: NewWorker,
): Promise<{ id: string; processNumber: number }> {
  const { rows } = await sql.query<{ id: string; processNumber: number }>(
    `INSERT INTO public.workers (id, process_number, kinds, hostname, pid)
     OVERRIDING SYSTEM VALUE
     SELECT $1 || '-worker-' || n, n, $2, $3, $4
     FROM nextval(pg_get_serial_sequence('public.workers', 'process_number')) AS n
     RETURNING id, process_number AS "processNumber"`,
    [worker.lane, worker.kinds, worker.hostname, worker.pid],
  );
  return rows[0]!;
}

/** False: it was declared dead, its jobs are gone to others, and the process must end. */
export async function beatWorker(sql: Sql, id: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    "UPDATE public.workers SET last_heartbeat = now() WHERE id = $1 AND status IN ('alive', 'draining')",
    [id],
  );
  return rowCount === 1;
}

/** False when it already had a final status: `dead` and `stopped` are never left. */
export async function markWorker(
  sql: Sql,
  id: string,
  status: Exclude<WorkerStatus, "alive">,
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE public.workers SET status = $2,
       stopped_at = CASE WHEN $2 IN ('stopped', 'dead') THEN now() END
     WHERE id = $1 AND status IN ('alive', 'draining')`,
    [id, status],
  );
  return rowCount === 1;
}

/** Newest first; the long gone ones are left out by `limit`. */
export async function listWorkers(sql: Sql, limit = 100): Promise<Worker[]> {
  const { rows } = await sql.query<Worker>(
    `SELECT ${WORKER_COLUMNS} FROM public.workers w ORDER BY w.process_number DESC LIMIT $1`,
    [limit],
  );
  return rows;
}

/** Those that have not beaten for so long, and those that ended but still hold jobs. */
export async function listDeadWorkers(sql: Sql, deadAfterMs: number): Promise<Worker[]> {
  const { rows } = await sql.query<Worker>(
    `SELECT ${WORKER_COLUMNS} FROM public.workers w
     WHERE (w.status IN ('alive', 'draining') AND w.last_heartbeat < now() - $1 * interval '1 ms')
        OR (w.status IN ('dead', 'stopped')
            AND EXISTS (SELECT FROM public.jobs j WHERE j.worker_id = w.id AND j.status = 'running'))
     ORDER BY w.process_number`,
    [deadAfterMs],
  );
  return rows;
}

/** Worker processes that beat within this time. */
export async function countAliveWorkers(sql: Sql, deadAfterMs: number): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM public.workers
     WHERE status IN ('alive', 'draining') AND last_heartbeat > now() - $1 * interval '1 ms'`,
    [deadAfterMs],
  );
  return rows[0]!.count;
}

/** Of those, the ones that take new jobs of any of these kinds. */
export async function countClaimingWorkers(
  sql: Sql,
  deadAfterMs: number,
  kinds: readonly string[],
): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM public.workers
     WHERE status = 'alive' AND last_heartbeat > now() - $1 * interval '1 ms' AND kinds && $2::text[]`,
    [deadAfterMs, kinds],
  );
  return rows[0]!.count;
}

/**
 * Takes the running jobs of a worker out of its hands: a late finish of it changes nothing any more.
 * They stay `running`, held by the caller, who settles each in the same transaction as healing decides.
 */
export async function takeJobsOfDeadWorker(tx: Sql, workerId: string): Promise<HeldJob[]> {
  return take(tx, "jobs.worker_id = $1", [workerId]);
}

/** The same for running rows that no known worker holds, e.g. ones inserted by hand, after a grace time. */
export async function takeOrphanedJobs(tx: Sql, olderThanMs: number): Promise<HeldJob[]> {
  return take(
    tx,
    `coalesce(jobs.started_at, jobs.created_at) < now() - $1 * interval '1 ms'
     AND NOT EXISTS (SELECT FROM public.workers w WHERE w.id = jobs.worker_id)`,
    [olderThanMs],
  );
}

async function take(tx: Sql, condition: string, values: readonly unknown[]): Promise<HeldJob[]> {
  const { rows } = await tx.query<HeldJob>(
    `UPDATE public.jobs SET fence = fence + 1, crash_count = crash_count + 1
     WHERE jobs.status = 'running' AND ${condition} RETURNING ${HELD_COLUMNS}`,
    values,
  );
  return rows;
}
