/** `healdec_log`: one row an action of the healing engine, its outcome filled in when it is known (HB-heal-07, X-17). */
import type { HealingFaultKind, HealingStrategy } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

export interface NewHealingEntry {
  /** `job-123`. */
  readonly jobId: string;
  readonly workerId: string | null;
  readonly failureType: HealingFaultKind;
  readonly strategy: HealingStrategy;
  readonly attemptNumber: number;
  /** Null, the default, until the outcome is known. */
  readonly success?: boolean | null;
  /** HB-heal-09: error, and for a retry backoff_ms and next_retry_at. */
  readonly context: JsonObject;
  readonly operatorNotified: boolean;
}

export interface HealingEntry extends NewHealingEntry {
  /** `log-123`. */
  readonly id: string;
  readonly seq: number;
  readonly success: boolean | null;
  readonly createdAt: Date;
}

const HEALING_COLUMNS = `seq, id, job_id AS "jobId", worker_id AS "workerId", failure_type AS "failureType", strategy,
  attempt_number AS "attemptNumber", success, context, operator_notified AS "operatorNotified", created_at AS "createdAt"`;

/** By the database's clock, so that it is the time of the row and the backoff, to the millisecond. */
const CONTEXT = `$7::jsonb || CASE WHEN $7::jsonb ->> 'backoff_ms' IS NULL THEN '{}' ELSE
  jsonb_build_object('next_retry_at', to_char(
    (date_trunc('milliseconds', now()) + ($7::jsonb ->> 'backoff_ms')::float8 * interval '1 ms') AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) END`;

/** `next_retry_at` of a context with a backoff is set here. */
export async function logHealing(
  sql: Sql,
  entry: NewHealingEntry,
): Promise<{ seq: number; id: string }> {
  const { rows } = await sql.query<{ seq: number; id: string }>(
    `INSERT INTO public.healdec_log
       (job_id, worker_id, failure_type, strategy, attempt_number, success, context, operator_notified)
     VALUES ($1, $2, $3, $4, $5, $6, ${CONTEXT}, $8) RETURNING seq, id`,
    [
      entry.jobId,
      entry.workerId,
      entry.failureType,
      entry.strategy,
      entry.attemptNumber,
      entry.success ?? null,
      entry.context,
      entry.operatorNotified,
    ],
  );
  return rows[0]!;
}

/** Says of all open actions on a job whether they helped. Returns how many were open. */
export async function fillHealingOutcome(
  sql: Sql,
  jobSeq: number,
  success: boolean,
): Promise<number> {
  const { rowCount } = await sql.query(
    "UPDATE public.healdec_log SET success = $2 WHERE job_id = $1 AND success IS NULL",
    [`job-${jobSeq}`, success],
  );
  return rowCount;
}

/** Oldest first. */
export async function readHealingOfJob(
  sql: Sql,
  jobId: string,
  limit = 200,
): Promise<HealingEntry[]> {
  const { rows } = await sql.query<HealingEntry>(
    `SELECT * FROM (
       SELECT ${HEALING_COLUMNS} FROM public.healdec_log WHERE job_id = $1 ORDER BY seq DESC LIMIT $2
     ) newest ORDER BY seq`,
    [jobId, limit],
  );
  return rows;
}
