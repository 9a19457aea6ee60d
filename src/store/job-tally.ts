/** How attempts at jobs ended, counted over all processes (EP-24). */
import { askRows } from "./ask-together.js";
import type { Sql } from "./database.js";

export interface TalliedJobs {
  readonly jobType: string;
  readonly outcome: string;
  readonly count: number;
  /** Run time in all. */
  readonly seconds: number;
  /** How many took at most so long, one for each bound of `DURATION_BOUNDS_S`; empty when it was not measured. */
  readonly buckets: readonly number[];
}

/**
 * Adds to what all processes have counted. In the order of the key, so that two that add at once cannot deadlock.
 * `floors`: for each bucket the place (from 0) of one that was there from the beginning and holds no more. A row of
 * an older version has fewer buckets; what it lacks begins with that one's count, so that none falls behind it.
 */
export async function addToTally(
  sql: Sql,
  tallies: readonly TalliedJobs[],
  floors: readonly number[],
): Promise<void> {
  if (tallies.length === 0) return;
  await sql.query(
    `INSERT INTO control.job_tally AS t (job_type, outcome, count, seconds, buckets)
     SELECT "jobType", outcome, count, seconds, ARRAY(SELECT jsonb_array_elements_text(buckets)::bigint)
     FROM jsonb_to_recordset($1::jsonb)
       AS more("jobType" text, outcome text, count bigint, seconds float8, buckets jsonb)
     ORDER BY "jobType", outcome
     ON CONFLICT (job_type, outcome) DO UPDATE SET
       count = t.count + excluded.count,
       seconds = t.seconds + excluded.seconds,
       buckets = ARRAY(
         SELECT coalesce(old, t.buckets[1 + ($2::int[])[n::int]], 0) + coalesce(more, 0)
         FROM unnest(t.buckets, excluded.buckets) WITH ORDINALITY AS both_of(old, more, n) ORDER BY n)`,
    [JSON.stringify(tallies), floors],
  );
}

export function readTally(sql: Sql): Promise<readonly TalliedJobs[]> {
  return askRows(
    sql,
    "jobs.tally",
    `SELECT job_type AS "jobType", outcome, count, seconds, buckets
     FROM control.job_tally ORDER BY job_type, outcome`,
  );
}
