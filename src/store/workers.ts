/** Worker processes, one row each. Those that died are in worker-deaths.ts. Time is the database's. */
import type { Lane } from "../job/kinds.js";
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";

export type WorkerStatus = "alive" | "draining" | "stopped" | "dead";

export interface NewWorker {
  readonly lane: Lane;
  readonly kinds: readonly string[];
  readonly hostname: string;
  readonly pid: number;
  /** See runtime/process-key; null where the system does not tell. */
  readonly processKey?: string | null;
}

/** This software takes capacity before it claims, says which handlers have started (2), and finishes rollbacks first (3). */
const ENGINE = 3;

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
    `INSERT INTO public.workers (id, process_number, kinds, hostname, pid, process_key, engine, started_jobs)
     OVERRIDING SYSTEM VALUE
     SELECT $1 || '-worker-' || n, n, $2, $3, $4, $5, $6, '{}'
     FROM nextval(pg_get_serial_sequence('public.workers', 'process_number')) AS n
     RETURNING id, process_number AS "processNumber"`,
    [worker.lane, worker.kinds, worker.hostname, worker.pid, worker.processKey ?? null, ENGINE],
  );
  return rows[0]!;
}

/** `started`: jobs whose handler runs. False: it was declared dead, its jobs are gone to others, and the process must end. */
export async function beatWorker(
  sql: Sql,
  id: string,
  started: readonly number[] = [],
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE public.workers SET last_heartbeat = now(), started_jobs = $2
     WHERE id = $1 AND status IN ('alive', 'draining')`,
    [id, started],
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

/** Worker processes that beat within this time. */
export function countAliveWorkers(sql: Sql, deadAfterMs: number): Promise<number> {
  const ms = Math.trunc(deadAfterMs);
  return ask<number>(sql, {
    name: `workers.alive.${ms}`,
    sql: `(SELECT count(*)::int FROM public.workers
      WHERE status IN ('alive', 'draining') AND last_heartbeat > now() - interval '${ms} ms')`,
  });
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

/** Likewise, kind by kind; zeros as well. A process that drains takes no more of them. */
export async function countAliveByKind(
  sql: Sql,
  deadAfterMs: number,
  kinds: readonly string[],
): Promise<{ readonly kind: string; readonly count: number }[]> {
  const { rows } = await sql.query<{ kind: string; count: number }>(
    `SELECT kind, count(w.id)::int AS count
     FROM unnest($2::text[]) WITH ORDINALITY AS known(kind, place)
     LEFT JOIN public.workers w ON known.kind = ANY (w.kinds) AND w.status = 'alive'
       AND w.last_heartbeat > now() - $1 * interval '1 ms'
     GROUP BY kind, place ORDER BY place`,
    [deadAfterMs, kinds],
  );
  return rows;
}
