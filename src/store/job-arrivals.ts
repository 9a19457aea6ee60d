/** How many jobs were asked for, by kind: counted from the table of jobs, each once, whoever counts. */
import { askRows } from "./ask-together.js";
import type { Sql } from "./database.js";

export interface ArrivedJobs {
  readonly kind: string;
  readonly count: number;
}

/** So long a transaction that makes jobs may take and still be counted, in milliseconds. */
const LATE_MS = 60_000;
/** After a longer absence what came before is not counted: nobody waits for a look at days of jobs. */
const ABSENCE_MAX_MS = 15 * 60_000;
/** The clock of a row's making may be behind its number by so much. */
const DISORDER_MS = 5 * 60_000;

/**
 * Adds what came in since the last time, but for the newest minute. Looks at no more rows than came in meanwhile, by
 * their numbers. Of two at once one counts: the other finds that `until` has moved on. A kind begins at 0.
 */
export async function countArrivals(sql: Sql, kinds: readonly string[]): Promise<void> {
  await sql.query(
    `WITH mark AS (
       SELECT coalesce(max(until), now() - $2 * interval '1 ms') AS until FROM control.job_arrival
     ), span AS (
       SELECT until, greatest(until, now() - $3 * interval '1 ms') AS since, now() - $2 * interval '1 ms' AS upto FROM mark
     ), first AS (
       SELECT coalesce((SELECT seq FROM public.jobs
                        WHERE created_at < (SELECT since FROM span) - $4 * interval '1 ms'
                        ORDER BY seq DESC LIMIT 1), 0) AS seq
     ), arrived AS (
       SELECT job_type, count(*) AS count FROM public.jobs, span
       WHERE seq > (SELECT seq FROM first) AND created_at > since AND created_at <= upto GROUP BY job_type
     )
     INSERT INTO control.job_arrival AS known (job_type, arrived, until)
     SELECT kind, coalesce(a.count, 0), s.upto
     FROM unnest($1::text[]) AS kind CROSS JOIN span s LEFT JOIN arrived a ON a.job_type = kind
     WHERE s.upto >= s.until ORDER BY kind
     ON CONFLICT (job_type) DO UPDATE SET arrived = known.arrived + excluded.arrived, until = excluded.until
     WHERE known.until = (SELECT until FROM span)`,
    [kinds, LATE_MS, ABSENCE_MAX_MS, DISORDER_MS],
  );
}

/** Since counting began; kinds that were never counted are not named. */
export function readArrivals(sql: Sql): Promise<readonly ArrivedJobs[]> {
  return askRows(
    sql,
    "jobs.arrived",
    "SELECT job_type AS kind, arrived::float8 AS count FROM control.job_arrival ORDER BY job_type",
  );
}
