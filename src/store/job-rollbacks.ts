/**
 * Jobs whose rollback has begun and not ended. What stands here outlives the worker, a reset by a person and plain SQL:
 * whoever claims such a job finishes its rollback, and its handler does not run before
 * (docs/decisions/0069-a-rollback-is-finished-first.md).
 */
import type { Fault, FaultKind } from "../base/fault.js";
import type { HeldJob } from "../job/job.js";
import type { Sql } from "./database.js";

export interface JobRollback {
  readonly jobSeq: number;
  readonly faultKind: FaultKind;
  readonly code: string;
  readonly message: string;
  /** Names of the compensations that are not done, in the order in which they are to be run. */
  readonly left: readonly string[];
}

/**
 * Before the first compensation runs. False: the job is no longer ours, and nothing is written. The lock on the row
 * keeps whoever resets it waiting: the next claim finds what is written here.
 */
export async function beginRollback(sql: Sql, held: HeldJob, cause: Fault): Promise<boolean> {
  const { rowCount } = await sql.query(
    `INSERT INTO control.rollback (job_seq, fault_kind, code, message)
     SELECT seq, $3, $4, $5 FROM public.jobs WHERE seq = $1 AND fence = $2 AND status = 'running' FOR SHARE
     ON CONFLICT (job_seq) DO UPDATE
       SET fault_kind = excluded.fault_kind, code = excluded.code, message = excluded.message`,
    [held.seq, held.fence, cause.kind, cause.code, cause.message],
  );
  return rowCount === 1;
}

/**
 * What was undone is undone, whoever holds the job by now; null: the compensation failed. False: the job is no longer
 * ours, and no other compensation may be begun.
 */
export async function checkpointRollback(
  sql: Sql,
  held: HeldJob,
  undone: number | null,
): Promise<boolean> {
  const { rows } = await sql.query<{ ours: boolean }>(
    `WITH done AS (
       UPDATE control.compensation SET done_at = now() WHERE job_seq = $1 AND ordinal = $3 AND done_at IS NULL
     )
     SELECT EXISTS (SELECT FROM public.jobs WHERE seq = $1 AND fence = $2 AND status = 'running') AS ours`,
    [held.seq, held.fence, undone],
  );
  return rows[0]!.ours;
}

export async function readRollbacks(
  sql: Sql,
  jobSeqs: readonly number[],
): Promise<Map<number, JobRollback>> {
  const { rows } = await sql.query<JobRollback>(
    `SELECT r.job_seq AS "jobSeq", r.fault_kind AS "faultKind", r.code, r.message,
       ARRAY(SELECT c.name FROM control.compensation c
             WHERE c.job_seq = r.job_seq AND c.done_at IS NULL ORDER BY c.ordinal DESC) AS left
     FROM control.rollback r WHERE r.job_seq = ANY ($1)`,
    [jobSeqs],
  );
  return new Map(rows.map((row) => [row.jobSeq, row]));
}

/** With the move that gives the job its outcome. */
export async function endRollback(tx: Sql, jobSeq: number): Promise<void> {
  await tx.query("DELETE FROM control.rollback WHERE job_seq = $1", [jobSeq]);
}

/** Of a job that completed there is nothing to undo any more. */
export async function dropCompensations(tx: Sql, jobSeq: number): Promise<void> {
  await tx.query(
    `WITH ended AS (DELETE FROM control.rollback WHERE job_seq = $1)
     UPDATE control.compensation SET done_at = now() WHERE job_seq = $1 AND done_at IS NULL`,
    [jobSeq],
  );
}
