/** What the claims of all processes work with, by kind: for people who ask what holds the queues (EP-22). */
import { INTERNAL_KINDS, PUBLIC_KINDS } from "../job/kinds.js";
import type { Sql } from "./database.js";

export interface ControlledQueue {
  readonly name: string;
  /** Pending, due or not. */
  readonly waiting: number;
  /** Rows held by workers; of these, `buffered` ones wait in their process for a slot. */
  readonly running: number;
  readonly buffered: number;
  /** Live processes that take new jobs of the kind. */
  readonly workers: number;
}

/**
 * The twelve public kinds, and others that have work. A job counts as buffered when its process has beaten since it
 * took the job, and said nothing of a handler.
 */
export async function readQueueController(
  sql: Sql,
  deadAfterMs: number,
): Promise<ControlledQueue[]> {
  const { rows } = await sql.query<ControlledQueue>(
    `WITH counted AS (
       SELECT job_type AS name, count(*) AS waiting, 0::bigint AS running, 0::bigint AS buffered
       FROM public.jobs WHERE status = 'pending' GROUP BY job_type
       UNION ALL
       SELECT j.job_type, 0, count(*), count(*) FILTER (WHERE w.engine >= 2 AND w.last_heartbeat > j.started_at
         AND NOT j.seq = ANY (coalesce(w.started_jobs, '{}')))
       FROM public.jobs j LEFT JOIN public.workers w ON w.id = j.worker_id
       WHERE j.status = 'running' GROUP BY j.job_type
       UNION ALL
       SELECT kind, 0, 0, 0 FROM unnest($1::text[]) AS kind
     )
     SELECT name, sum(waiting)::int AS waiting, sum(running)::int AS running, sum(buffered)::int AS buffered,
       (SELECT count(*) FROM public.workers w WHERE w.status = 'alive' AND w.kinds @> ARRAY[name]
          AND w.last_heartbeat > now() - $3 * interval '1 ms')::int AS workers
     FROM counted WHERE name <> ALL ($2)
     GROUP BY name ORDER BY array_position($1::text[], name), name`,
    [PUBLIC_KINDS, INTERNAL_KINDS, deadAfterMs],
  );
  return rows;
}
