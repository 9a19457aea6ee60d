/** Kinds of jobs that nobody claims for the time being (HB-wrk-15, X-62). Each says why, by whom and until when. */
import { fault } from "../base/fault.js";
import { INTERNAL_KINDS } from "../job/kinds.js";
import type { Sql } from "./database.js";

/**
 * The queue that stands for all public ones. A pause of it is one row of its own: queues that are paused for
 * reasons of their own stay paused when it ends, and kinds that are registered later are covered.
 */
export const ALL_QUEUES = "*";

export interface Pause {
  /** Or `ALL_QUEUES`. */
  readonly kind: string;
  readonly reason: string;
  readonly pausedBy: string;
  readonly pausedAt: Date;
  /** Null: until somebody resumes it. */
  readonly expiresAt: Date | null;
}

/** A second pause replaces the first. Throws a Fault `QUEUE_NOT_PAUSABLE` for the internal kinds, which heal the rest. */
export async function pauseQueue(
  sql: Sql,
  pause: {
    readonly kind: string;
    readonly reason: string;
    readonly by: string;
    readonly expiresAt: Date | null;
  },
): Promise<void> {
  if ((INTERNAL_KINDS as readonly string[]).includes(pause.kind)) {
    throw fault.refused(
      "QUEUE_NOT_PAUSABLE",
      `jobs of kind "${pause.kind}" are never paused: runbooks and notices depend on them`,
      { hint: "cancel the single job instead" },
    );
  }
  await sql.query(
    `WITH paused AS (
       INSERT INTO control.queue_pause (job_type, reason, paused_by, expires_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (job_type) DO UPDATE SET reason = excluded.reason, paused_by = excluded.paused_by,
         paused_at = now(), expires_at = excluded.expires_at
       RETURNING job_type, reason, expires_at
     )
     SELECT control.audit_append($3, 'queue.paused', 'queue:' || job_type,
       jsonb_build_object('reason', reason, 'expires_at', expires_at)) FROM paused`,
    [pause.kind, pause.reason, pause.by, pause.expiresAt],
  );
}

/** False when it was not paused. */
export async function resumeQueue(
  sql: Sql,
  request: { readonly kind: string; readonly by: string },
): Promise<boolean> {
  const resumed = await resumeQueues(sql, { kinds: [request.kind], by: request.by });
  return resumed.length === 1;
}

/** Those that were paused. */
export async function resumeQueues(
  sql: Sql,
  request: { readonly kinds: readonly string[]; readonly by: string },
): Promise<string[]> {
  const { rows } = await sql.query<{ kind: string }>(
    `WITH resumed AS (
       DELETE FROM control.queue_pause WHERE job_type = ANY ($1)
         AND (expires_at IS NULL OR expires_at > now()) RETURNING job_type, reason
     ), woken AS (SELECT pg_notify('algobrain_job', '') FROM resumed LIMIT 1)
     SELECT job_type AS kind, control.audit_append($2, 'queue.resumed', 'queue:' || job_type,
       jsonb_build_object('was_paused_for', reason)) FROM resumed, woken ORDER BY job_type`,
    [request.kinds, request.by],
  );
  return rows.map(({ kind }) => kind);
}

/** Those in force, by kind. */
export async function listPauses(sql: Sql): Promise<Pause[]> {
  const { rows } = await sql.query<Pause>(
    `SELECT job_type AS kind, reason, paused_by AS "pausedBy", paused_at AS "pausedAt", expires_at AS "expiresAt"
     FROM control.queue_pause WHERE expires_at IS NULL OR expires_at > now() ORDER BY job_type`,
  );
  return rows;
}
