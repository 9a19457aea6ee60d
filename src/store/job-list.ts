/** Jobs as lists, newest first, a page at a time (EP-04, HB-heal-14). */
import type { Job, JobStatus } from "../job/job.js";
import type { Sql } from "./database.js";
import { JOB_COLUMNS } from "./job-columns.js";

export interface JobFilter {
  readonly status?: JobStatus | undefined;
  readonly kind?: string | undefined;
  readonly limit: number;
  /** For the next page: the smallest `seq` seen. */
  readonly beforeSeq?: number | undefined;
}

/** Newest first. */
export async function listJobs(sql: Sql, filter: JobFilter): Promise<Job[]> {
  const { rows } = await sql.query<Job>(
    `SELECT ${JOB_COLUMNS} FROM public.jobs
     WHERE ($1::text IS NULL OR jobs.status = $1) AND ($2::text IS NULL OR jobs.job_type = $2)
       AND ($3::bigint IS NULL OR jobs.seq < $3)
     ORDER BY jobs.seq DESC LIMIT $4`,
    [filter.status ?? null, filter.kind ?? null, filter.beforeSeq ?? null, filter.limit],
  );
  return rows;
}
