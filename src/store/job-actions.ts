/**
 * What people do to jobs: the guarded use cases behind the API, the terminal and the runbooks. Each is
 * one transaction with its audit entry, and answers with a named outcome.
 */
import { Fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { SchemaFinding } from "../base/schema.js";
import type { Job, JobStatus } from "../job/job.js";
import { mayMove } from "../job/transition.js";
import { appendAudit } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { JOB_COLUMNS } from "./job-columns.js";

const UNIQUE_VIOLATION = "23505";
export const KEY_TRIES_MAX = 3;

export interface RetryResult {
  /** All but `retried` changed nothing. */
  readonly outcome: "retried" | "not-found" | "running" | "already-pending" | "completed";
  /** As it is now; absent when not found. */
  readonly job?: Job;
}

export interface RetryRequest {
  readonly seq: number;
  readonly actor: string;
  readonly reason?: string | undefined;
  /** A running job too: its worker's hold ends first, and its late finish changes nothing. */
  readonly force?: boolean | undefined;
}

/** As new, but for when it is due and whether it keeps its key. */
export const RESET_TO_PENDING = `status = 'pending', attempts = 0, crash_count = 0, error = NULL, result = NULL,
  completed_at = NULL, worker_id = NULL, started_at = NULL, fence = jobs.fence + 1`;

/** A job whose unique key has gone to a younger one meanwhile gives the key up. */
const RESET = `
UPDATE public.jobs SET ${RESET_TO_PENDING}, scheduled_at = now(),
  unique_key = CASE WHEN status = 'running' OR NOT EXISTS (
    SELECT FROM public.jobs other WHERE other.unique_key = jobs.unique_key
      AND other.status IN ('pending', 'running') AND other.seq <> jobs.seq) THEN unique_key END
WHERE seq = $1 RETURNING ${JOB_COLUMNS}`;

export async function retryJob(db: Database, request: RetryRequest): Promise<RetryResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await retryOnce(db, request);
    } catch (error) {
      // Its key was taken at this very moment: the next look sees by whom.
      if (!isKeyTaken(error) || attempt === KEY_TRIES_MAX) throw error;
    }
  }
}

/** A job that is enqueued or retried at the same time got the unique key. */
export function isKeyTaken(error: unknown): boolean {
  return error instanceof Fault && error.details.sqlstate === UNIQUE_VIOLATION;
}

function retryOnce(db: Database, request: RetryRequest): Promise<RetryResult> {
  const { seq, actor, reason, force = false } = request;
  return db.transaction(async (tx) => {
    const before = await lockJob(tx, seq);
    if (!before) return { outcome: "not-found" };
    const forced = force && mayMove("reset", before.status);
    if (!forced && !mayMove("requeue", before.status)) {
      return { outcome: refusalOf(before.status), job: before };
    }
    const { rows } = await tx.query<Job>(RESET, [seq]);
    await wakeWorkers(tx);
    await appendAudit(tx, {
      actor,
      action: "job.retried",
      target: before.id,
      details: { ...factsBefore(before), reason: reason ?? null, forced },
    });
    return { outcome: "retried", job: rows[0]! };
  });
}

function refusalOf(status: JobStatus): "running" | "already-pending" | "completed" {
  if (status === "running") return "running";
  return status === "pending" ? "already-pending" : "completed";
}

/** With the sentence for `error` as the second value. */
export const CANCELLED = `status = 'cancelled', error = $2, completed_at = now(), worker_id = NULL,
  fence = jobs.fence + 1`;

export function cancelError(actor: string, reason: string): string {
  return `cancelled by ${actor}: ${reason}`;
}

export interface CancelResult {
  readonly outcome: "cancelled" | "not-found" | "already-cancelled" | "completed";
  readonly job?: Job;
  /** Of a job that was cancelled now: what it was. */
  readonly before?: JobStatus;
}

/** Also ends a running job: its worker aborts the handler when it next looks, and nothing of it is written. */
export async function cancelJob(
  db: Database,
  request: { readonly seq: number; readonly actor: string; readonly reason: string },
): Promise<CancelResult> {
  const { seq, actor, reason } = request;
  return db.transaction(async (tx) => {
    const before = await lockJob(tx, seq);
    if (!before) return { outcome: "not-found" };
    if (before.status === "cancelled") return { outcome: "already-cancelled", job: before };
    if (before.status === "completed") return { outcome: "completed", job: before };
    const { rows } = await tx.query<Job>(
      `UPDATE public.jobs SET ${CANCELLED} WHERE seq = $1 RETURNING ${JOB_COLUMNS}`,
      [seq, cancelError(actor, reason)],
    );
    await wakeWorkers(tx);
    await appendAudit(tx, {
      actor,
      action: "job.cancelled",
      target: before.id,
      details: { ...factsBefore(before), reason },
    });
    return { outcome: "cancelled", job: rows[0]!, before: before.status };
  });
}

export interface CorrectResult {
  /** `changed`: somebody moved the job since it was looked at. */
  readonly outcome: "corrected" | "not-found" | "wrong-status" | "invalid" | "changed";
  readonly job?: Job;
  /** With `invalid`: all that is wrong with the new payload. */
  readonly findings?: readonly SchemaFinding[];
}

export interface CorrectRequest {
  readonly seq: number;
  readonly actor: string;
  readonly payload: JsonObject;
  /** Only while the job is as it was then. */
  readonly fence?: number | undefined;
  /** The same schema as at every other door. */
  readonly check: (kind: string, payload: JsonObject) => readonly SchemaFinding[];
}

/** Gives a failed or quarantined job another payload; the retry is a step of its own. Old and new payload are in the audit. */
export async function correctPayload(
  db: Database,
  request: CorrectRequest,
): Promise<CorrectResult> {
  const { seq, actor, payload, check } = request;
  return db.transaction(async (tx) => {
    const before = await lockJob(tx, seq);
    if (!before) return { outcome: "not-found" };
    if (before.status !== "failed" && before.status !== "quarantined") {
      return { outcome: "wrong-status", job: before };
    }
    const findings = check(before.kind, payload);
    if (findings.length > 0) return { outcome: "invalid", job: before, findings };
    const { rows } = await tx.query<Job>(
      `UPDATE public.jobs SET payload = $2, fence = fence + 1
       WHERE seq = $1 AND fence = coalesce($3::bigint, fence) RETURNING ${JOB_COLUMNS}`,
      [seq, JSON.stringify(payload), request.fence ?? null],
    );
    if (rows.length === 0) return { outcome: "changed", job: before };
    await appendAudit(tx, {
      actor,
      action: "job.payload-corrected",
      target: before.id,
      details: { before: before.payload, after: payload },
    });
    return { outcome: "corrected", job: rows[0]! };
  });
}

async function lockJob(tx: Sql, seq: number): Promise<Job | null> {
  const { rows } = await tx.query<Job>(
    `SELECT ${JOB_COLUMNS} FROM public.jobs WHERE seq = $1 FOR UPDATE`,
    [seq],
  );
  return rows[0] ?? null;
}

/** The hint of plain SQL and of enqueue, for moves that bring their own fence. */
export async function wakeWorkers(tx: Sql): Promise<void> {
  await tx.query("SELECT pg_notify('algobrain_job', '')");
}

function factsBefore(job: Job): JsonObject {
  return { status: job.status, attempts: job.attempts, error: job.error };
}
