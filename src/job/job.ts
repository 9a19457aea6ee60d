/** What a job is. Its key in the database is the number `seq`; people read and type `job-<seq>`. */
import type { Json, JsonObject } from "../base/json.js";

/** HB-db-05. */
export const JOB_STATUSES = [
  "pending",
  "running",
  "completed",
  "failed",
  "quarantined",
  "cancelled",
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** HB-db-07: 10 is high, 1 is low, larger runs first. */
export const PRIORITY_DEFAULT = 5;

export interface Job {
  readonly seq: number;
  readonly id: string;
  readonly kind: string;
  readonly payload: JsonObject;
  readonly status: JobStatus;
  readonly priority: number;
  readonly attempts: number;
  readonly error: string | null;
  readonly result: Json;
  readonly scheduledAt: Date;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly workerId: string | null;
  /** `api:ann`, `cli:ann`; null: the runtime itself, or plain SQL. */
  readonly requestedBy: string | null;
  readonly parentSeq: number | null;
  readonly uniqueKey: string | null;
}

/** A job that this process holds. Every settle carries worker, attempt, status and this fence. */
export interface HeldJob {
  readonly seq: number;
  readonly id: string;
  readonly kind: string;
  readonly payload: JsonObject;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Grows by one with every move of the row, also with an operator's plain SQL. */
  readonly fence: number;
  /** How often a worker died while a handler of this job was running. */
  readonly crashCount: number;
  readonly createdAt: Date;
}

/** `job-123` → 123; null when it is not a job id. */
export function parseJobId(text: string): number | null {
  const match = /^job-([1-9]\d{0,15})$/.exec(text);
  return match ? Number(match[1]) : null;
}
