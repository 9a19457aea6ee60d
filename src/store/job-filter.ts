/** Which jobs are meant: one filter for the list and for bulk acts, so that the two cannot disagree. */
import type { JobStatus } from "../job/job.js";

export interface JobFilter {
  readonly status?: JobStatus | undefined;
  readonly kind?: string | undefined;
  /** Created then or later. */
  readonly since?: Date | undefined;
  /** Created before. */
  readonly until?: Date | undefined;
  /** Ended then or later. */
  readonly endedSince?: Date | undefined;
  /** How the error begins; upper and lower case differ. */
  readonly errorPrefix?: string | undefined;
  readonly requestedBy?: string | undefined;
  readonly parentSeq?: number | undefined;
  readonly priority?: number | undefined;
  readonly uniqueKey?: string | undefined;
}

const CONDITIONS: Readonly<Record<keyof JobFilter, (value: string) => string>> = {
  status: (value) => `jobs.status = ${value}`,
  kind: (value) => `jobs.job_type = ${value}`,
  since: (value) => `jobs.created_at >= ${value}`,
  until: (value) => `jobs.created_at < ${value}`,
  endedSince: (value) => `jobs.completed_at >= ${value}`,
  errorPrefix: (value) => `starts_with(jobs.error, ${value})`,
  requestedBy: (value) => `jobs.requested_by = ${value}`,
  parentSeq: (value) => `jobs.parent_seq = ${value}`,
  priority: (value) => `jobs.priority = ${value}`,
  uniqueKey: (value) => `jobs.unique_key = ${value}`,
};

const KEYS = Object.keys(CONDITIONS) as (keyof JobFilter)[];

/**
 * A condition on `jobs`; its values are added to `values`. What is not asked for is not in the text, so that
 * the planner sees which of the small indexes (attention, runnable, running, parent) serves.
 */
export function whereJobs(filter: JobFilter, values: unknown[]): string {
  const asked = KEYS.filter((key) => filter[key] !== undefined);
  if (asked.length === 0) return "true";
  return asked.map((key) => CONDITIONS[key](`$${values.push(filter[key])}`)).join(" AND ");
}
