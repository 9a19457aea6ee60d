/** Jobs as lists, newest first, a page at a time (EP-04, HB-heal-14). */
import type { Job } from "../job/job.js";
import type { Sql } from "./database.js";
import { JOB_COLUMNS } from "./job-columns.js";
import { type JobFilter, whereJobs } from "./job-filter.js";

export interface JobPage extends JobFilter {
  readonly limit: number;
  /** For the page of older ones: the smallest `seq` seen. */
  readonly beforeSeq?: number | undefined;
  /** For the page of newer ones: the largest `seq` seen; those next to it come first. */
  readonly afterSeq?: number | undefined;
}

/** Newest first. Pages hang on the number alone: jobs that come meanwhile move none to another page. */
export async function listJobs(sql: Sql, page: JobPage): Promise<Job[]> {
  const { limit, beforeSeq, afterSeq, ...filter } = page;
  const values: unknown[] = [limit, beforeSeq ?? null, afterSeq ?? null];
  const order = afterSeq === undefined ? "DESC" : "ASC";
  const { rows } = await sql.query<Job>(
    `SELECT ${JOB_COLUMNS} FROM public.jobs
     WHERE ($2::bigint IS NULL OR jobs.seq < $2) AND ($3::bigint IS NULL OR jobs.seq > $3)
       AND ${whereJobs(filter, values)}
     ORDER BY jobs.seq ${order} LIMIT $1`,
    values,
  );
  return afterSeq === undefined ? rows : rows.reverse();
}
