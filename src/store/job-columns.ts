/** The columns of `jobs`, under the names of the two shapes that code works with: `Job` and `HeldJob`. */

export const JOB_COLUMNS = `jobs.seq, jobs.id, jobs.job_type AS kind, jobs.payload, jobs.status, jobs.priority,
  jobs.attempts, jobs.error, jobs.result, jobs.scheduled_at AS "scheduledAt", jobs.created_at AS "createdAt",
  jobs.started_at AS "startedAt", jobs.completed_at AS "completedAt", jobs.worker_id AS "workerId",
  jobs.requested_by AS "requestedBy", jobs.parent_seq AS "parentSeq", jobs.unique_key AS "uniqueKey"`;

export const HELD_COLUMNS = `jobs.seq, jobs.id, jobs.job_type AS kind, jobs.payload, jobs.attempts AS attempt,
  jobs.fence, jobs.crash_count AS "crashCount", jobs.created_at AS "createdAt"`;

/**
 * The number in a job's text id (`job-123`), NULL where the text is no such id: rows are found by their number, for which
 * there is an exact index (docs/decisions/0068-the-text-id-is-derived.md).
 */
export function seqOf(id: string): string {
  return `CASE WHEN ${id} ~ '^job-[1-9][0-9]{0,17}$' THEN substr(${id}, 5)::bigint END`;
}

/**
 * The claim's order: seconds since 2000, ten minutes earlier for each priority level. To the letter the
 * expression of idx_jobs_due, or the index is not used.
 */
export function rankOf(job: string): string {
  return `(date_part('epoch', ${job}.scheduled_at - timestamptz '2000-01-01 00:00:00+00') - 600 * ${job}.priority)`;
}
