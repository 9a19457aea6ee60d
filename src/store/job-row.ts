/** How a row of `jobs` reads: the columns, and the two shapes that code works with. */
import type { Json, JsonObject } from "../base/json.js";
import type { HeldJob, Job, JobStatus } from "../job/job.js";

export const JOB_COLUMNS = `jobs.seq, jobs.id, jobs.job_type, jobs.payload, jobs.status, jobs.priority, jobs.attempts,
  jobs.error, jobs.result, jobs.scheduled_at, jobs.created_at, jobs.started_at, jobs.completed_at, jobs.worker_id`;

export interface JobRow {
  readonly seq: number;
  readonly id: string;
  readonly job_type: string;
  readonly payload: JsonObject;
  readonly status: JobStatus;
  readonly priority: number;
  readonly attempts: number;
  readonly error: string | null;
  readonly result: Json;
  readonly scheduled_at: Date;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly worker_id: string | null;
}

export function toJob(row: JobRow): Job {
  return {
    seq: row.seq,
    id: row.id,
    kind: row.job_type,
    payload: row.payload,
    status: row.status,
    priority: row.priority,
    attempts: row.attempts,
    error: row.error,
    result: row.result,
    scheduledAt: row.scheduled_at,
    createdAt: row.created_at,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    workerId: row.worker_id,
  };
}

export const HELD_COLUMNS = `jobs.seq, jobs.id, jobs.job_type, jobs.payload, jobs.attempts, jobs.fence,
  jobs.crash_count, jobs.created_at, jobs.priority, jobs.scheduled_at`;

export interface HeldRow {
  readonly seq: number;
  readonly id: string;
  readonly job_type: string;
  readonly payload: JsonObject;
  readonly attempts: number;
  readonly fence: number;
  readonly crash_count: number;
  readonly created_at: Date;
}

export function toHeldJob(row: HeldRow): HeldJob {
  return {
    seq: row.seq,
    id: row.id,
    kind: row.job_type,
    payload: row.payload,
    attempt: row.attempts,
    fence: row.fence,
    crashCount: row.crash_count,
    createdAt: row.created_at,
  };
}
