/** How full the queues are. Internal kinds are left out: they are not the system's load (design 8.3). */
import { INTERNAL_KINDS, PUBLIC_KINDS } from "../job/kinds.js";
import type { Sql } from "./database.js";

export interface QueueStats {
  readonly name: string;
  /** Pending, due or not. */
  readonly waiting: number;
  readonly active: number;
  readonly completed: number;
  /** Failed and quarantined: those that need a person. */
  readonly failed: number;
  /** Cancelled ones too. */
  readonly total: number;
}

export interface QueueDepth {
  readonly name: string;
  readonly pending: number;
  /** Pending and due now. */
  readonly due: number;
  /** How long the oldest due job has been due; 0 when none is. */
  readonly oldestDueMs: number;
}

/**
 * The twelve public kinds, empty ones as zeros, and any other that has jobs. Counts every job that is kept, so
 * it is for people who ask; what is asked every few seconds is `readQueueLoad`.
 */
export async function readQueueStats(sql: Sql): Promise<QueueStats[]> {
  const { rows } = await sql.query<QueueStats>(
    `SELECT name, coalesce(waiting, 0) AS waiting, coalesce(active, 0) AS active,
       coalesce(completed, 0) AS completed, coalesce(failed, 0) AS failed, coalesce(total, 0) AS total
     FROM unnest($1::text[]) WITH ORDINALITY AS known(name, place)
     FULL JOIN (
       SELECT job_type AS name,
         count(*) FILTER (WHERE status = 'pending')::int AS waiting,
         count(*) FILTER (WHERE status = 'running')::int AS active,
         count(*) FILTER (WHERE status = 'completed')::int AS completed,
         count(*) FILTER (WHERE status IN ('failed', 'quarantined'))::int AS failed,
         count(*)::int AS total
       FROM public.jobs WHERE job_type <> ALL ($2) GROUP BY job_type
     ) counted USING (name)
     ORDER BY place, name`,
    [PUBLIC_KINDS, INTERNAL_KINDS],
  );
  return rows;
}

export interface QueueLoad {
  readonly name: string;
  /** Pending, due or not. */
  readonly waiting: number;
  readonly active: number;
}

/** The twelve public kinds and any other with jobs that have not ended. Reads the rows of those alone. */
export async function readQueueLoad(sql: Sql): Promise<QueueLoad[]> {
  const { rows } = await sql.query<QueueLoad>(
    `SELECT name, coalesce(sum(waiting), 0)::int AS waiting, coalesce(sum(active), 0)::int AS active
     FROM (
       SELECT kind AS name, 0 AS waiting, 0 AS active FROM unnest($1::text[]) AS kind
       UNION ALL
       SELECT job_type, count(*), 0 FROM public.jobs WHERE status = 'pending' GROUP BY job_type
       UNION ALL
       SELECT job_type, 0, count(*) FROM public.jobs WHERE status = 'running' GROUP BY job_type
     ) counted WHERE name <> ALL ($2) GROUP BY name ORDER BY array_position($1::text[], name), name`,
    [PUBLIC_KINDS, INTERNAL_KINDS],
  );
  return rows;
}

/** Only kinds with pending jobs, deepest first (HB-sql-18). */
export async function readQueueDepth(sql: Sql): Promise<QueueDepth[]> {
  const { rows } = await sql.query<QueueDepth>(
    `SELECT job_type AS name, count(*)::int AS pending,
       count(*) FILTER (WHERE scheduled_at <= now())::int AS due,
       greatest(0, coalesce(extract(epoch FROM now() - min(scheduled_at) FILTER (WHERE scheduled_at <= now())), 0) * 1000)::float8
         AS "oldestDueMs"
     FROM public.jobs WHERE status = 'pending' AND job_type <> ALL ($1)
     GROUP BY job_type ORDER BY pending DESC, name`,
    [INTERNAL_KINDS],
  );
  return rows;
}
