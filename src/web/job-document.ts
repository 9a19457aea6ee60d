/** Jobs and their history as the API shows them: the handbook's column names, times in ISO 8601. */
import type { Job } from "../job/job.js";
import type { AuditEntry } from "../store/audit.js";
import type { HealingEntry } from "../store/healing.js";

export function toJobDocument(job: Job) {
  return {
    id: job.id,
    job_type: job.kind,
    payload: job.payload,
    status: job.status,
    priority: job.priority,
    attempts: job.attempts,
    error: job.error,
    result: job.result,
    scheduled_at: job.scheduledAt.toISOString(),
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    completed_at: job.completedAt?.toISOString() ?? null,
    worker_id: job.workerId,
    requested_by: job.requestedBy,
    parent: job.parentSeq === null ? null : `job-${job.parentSeq}`,
    unique_key: job.uniqueKey,
  };
}

/** What healing did, in the columns of `healdec_log`. */
export function toHealingDocument(entry: HealingEntry) {
  return {
    id: entry.id,
    job_id: entry.jobId,
    worker_id: entry.workerId,
    failure_type: entry.failureType,
    strategy: entry.strategy,
    attempt_number: entry.attemptNumber,
    success: entry.success,
    context: entry.context,
    operator_notified: entry.operatorNotified,
    created_at: entry.createdAt.toISOString(),
  };
}

/** What people and plain SQL did. */
export function toAuditDocument(entry: AuditEntry) {
  return {
    seq: entry.seq,
    actor: entry.actor,
    action: entry.action,
    details: entry.details,
    created_at: entry.createdAt.toISOString(),
  };
}
