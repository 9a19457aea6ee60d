/**
 * Retrying and cancelling all jobs that match a filter: counted first, then moved in batches, each a
 * transaction of its own with one audit entry a job (docs/decisions/0013-what-operators-do-in-bulk.md).
 */
import type { JsonObject } from "../base/json.js";
import { type BulkAction, type Confirmed, statusesFor } from "../job/bulk.js";
import type { JobStatus } from "../job/job.js";
import { INTERNAL_KINDS } from "../job/kinds.js";
import { appendAudit } from "./audit.js";
import type { Database, Sql } from "./database.js";
import {
  CANCELLED,
  cancelError,
  isKeyTaken,
  KEY_TRIES_MAX,
  RESET_TO_PENDING,
  wakeWorkers,
} from "./job-actions.js";
import { type JobFilter, whereJobs } from "./job-filter.js";

/** Locks are held for one batch, and the head of the audit chain too. */
const BATCH_JOBS = 500;

export interface BulkScope {
  readonly action: BulkAction;
  readonly filter: JobFilter;
  /** Only jobs up to this number; default: all that are there. */
  readonly upToSeq?: number | undefined;
  readonly afterSeq?: number | undefined;
}

export interface BulkCount extends Confirmed {
  /** Matching jobs that are left alone, by status. */
  readonly skipped: Readonly<Partial<Record<JobStatus, number>>>;
}

/** What the act would move now. Jobs of internal kinds are never meant (design 8.3). */
export async function countBulk(sql: Sql, scope: BulkScope): Promise<BulkCount> {
  const values: unknown[] = [INTERNAL_KINDS, scope.upToSeq ?? null, scope.afterSeq ?? 0];
  const { rows } = await sql.query<{ status: JobStatus; count: number; newest: number }>(
    `SELECT status, count(*) AS count, (SELECT max(seq) FROM public.jobs) AS newest FROM public.jobs
     WHERE job_type <> ALL ($1) AND seq <= coalesce($2::bigint, seq) AND seq > $3
       AND ${whereJobs(scope.filter, values)}
     GROUP BY status`,
    values,
  );
  const moved = statusesFor(scope.action);
  const isMoved = ({ status }: { status: JobStatus }) => moved.includes(status);
  return {
    count: rows.filter(isMoved).reduce((sum, { count }) => sum + count, 0),
    upToSeq: scope.upToSeq ?? rows[0]?.newest ?? 0,
    skipped: Object.fromEntries(
      rows.filter((row) => !isMoved(row)).map(({ status, count }) => [status, count]),
    ),
  };
}

export interface BulkRequest {
  readonly action: BulkAction;
  readonly filter: JobFilter;
  /** The filter as it was asked, for the audit. */
  readonly asked: JsonObject;
  readonly confirmed: Confirmed;
  readonly actor: string;
  readonly reason: string;
  /** The first retry is due now, each other one so many milliseconds after the one before. */
  readonly startAt: Date;
  readonly spacingMs: number;
  /** Asked between two batches: what is left then is left as it was. */
  readonly isOver: () => boolean;
  /** Only jobs with a larger number than this; default: all. */
  readonly afterSeq?: number;
  /** Jobs that are moved at most, though more are confirmed; default: all. */
  readonly max?: number;
  /** The numbers of a batch's jobs, after it was committed. */
  readonly onMoved?: (seqs: readonly number[]) => void;
}

export interface BulkResult {
  /** Jobs that were moved. */
  readonly acted: number;
  /** Why not all were: more jobs match than were confirmed, or the caller's time is over. */
  readonly stopped: "grown" | "time" | null;
}

/** Changes nothing when more jobs match than were confirmed. Each job is moved once at most, in the order of the numbers. */
export async function runBulk(db: Database, request: BulkRequest): Promise<BulkResult> {
  const { action, filter, confirmed } = request;
  let afterSeq = request.afterSeq ?? 0;
  const now = await countBulk(db, { action, filter, upToSeq: confirmed.upToSeq, afterSeq });
  if (now.count > confirmed.count) return { acted: 0, stopped: "grown" };
  const bulk = await auditRequest(db, request);
  let acted = 0;
  const most = Math.min(confirmed.count, request.max ?? confirmed.count);
  while (acted < most) {
    if (request.isOver()) return { acted, stopped: "time" };
    const room = Math.min(BATCH_JOBS, most - acted);
    const seqs = await moveBatch(db, { ...request, bulk, afterSeq, room, place: acted });
    if (seqs.length === 0) return { acted, stopped: null };
    request.onMoved?.(seqs);
    acted += seqs.length;
    afterSeq = seqs.at(-1)!;
  }
  if (most < confirmed.count) return { acted, stopped: null };
  const more = await countBulk(db, { action, filter, upToSeq: confirmed.upToSeq, afterSeq });
  return { acted, stopped: more.count > 0 ? "grown" : null };
}

/** Before the first job is moved: who asked for what stands there even if we die in the midst of it. */
function auditRequest(db: Sql, { action, asked, confirmed, actor, reason }: BulkRequest) {
  const details = { action, filter: asked, confirmed: confirmed.count, reason };
  return appendAudit(db, { actor, action: "jobs.bulk-requested", target: "jobs", details });
}

interface Batch extends BulkRequest {
  /** Number of the audit entry that says who asked for it. */
  readonly bulk: number;
  readonly afterSeq: number;
  readonly room: number;
  /** How many were moved before. */
  readonly place: number;
}

async function moveBatch(db: Database, batch: Batch): Promise<number[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction(async (tx) => {
        await wakeWorkers(tx);
        return batch.action === "retry" ? retryBatch(tx, batch) : cancelBatch(tx, batch);
      });
    } catch (error) {
      if (!isKeyTaken(error) || attempt === KEY_TRIES_MAX) throw error;
    }
  }
}

/** The next jobs of the act, locked in the order of their numbers; the younger of two with one key gets it. */
function pickBatch(batch: Batch, values: unknown[]): string {
  const add = (value: unknown) => `$${values.push(value)}`;
  return `picked AS (
    SELECT *, row_number() OVER (ORDER BY seq) AS place,
      row_number() OVER (PARTITION BY unique_key ORDER BY seq DESC) AS heir
    FROM (
      SELECT seq, id, status, attempts, error, unique_key FROM public.jobs
      WHERE status = ANY (${add(statusesFor(batch.action))}) AND job_type <> ALL (${add(INTERNAL_KINDS)})
        AND seq > ${add(batch.afterSeq)} AND seq <= ${add(batch.confirmed.upToSeq)}
        AND ${whereJobs(batch.filter, values)}
      ORDER BY seq LIMIT ${add(batch.room)} FOR UPDATE
    ) locked
  )`;
}

/** One entry a job, with what the move takes from the row, after all rows are locked. */
const auditBatch = (action: string) => `
SELECT seq, control.audit_append($1, '${action}', id, jsonb_build_object(
  'status', status, 'attempts', attempts, 'error', error, 'reason', $3::text, 'bulk', $4::bigint))
FROM (SELECT picked.* FROM picked JOIN moved USING (seq) ORDER BY seq) entry`;

async function retryBatch(tx: Sql, batch: Batch): Promise<number[]> {
  const { actor, reason, bulk, startAt, place, spacingMs } = batch;
  const values: unknown[] = [actor, startAt, reason, bulk, place, spacingMs];
  const { rows } = await tx.query<{ seq: number }>(
    `WITH ${pickBatch(batch, values)}, moved AS (
       UPDATE public.jobs SET ${RESET_TO_PENDING},
         scheduled_at = $2::timestamptz + ($5::int + picked.place - 1) * $6::float8 * interval '1 ms',
         unique_key = CASE WHEN picked.heir = 1 AND NOT EXISTS (
           SELECT FROM public.jobs other WHERE other.unique_key = jobs.unique_key
             AND other.status IN ('pending', 'running')) THEN jobs.unique_key END
       FROM picked WHERE jobs.seq = picked.seq RETURNING jobs.seq
     ) ${auditBatch("job.retried")}`,
    values,
  );
  return rows.map(({ seq }) => seq);
}

async function cancelBatch(tx: Sql, batch: Batch): Promise<number[]> {
  const { actor, reason, bulk } = batch;
  const values: unknown[] = [actor, cancelError(actor, reason), reason, bulk];
  const { rows } = await tx.query<{ seq: number }>(
    `WITH ${pickBatch(batch, values)}, moved AS (
       UPDATE public.jobs SET ${CANCELLED}
       FROM picked WHERE jobs.seq = picked.seq RETURNING jobs.seq
     ) ${auditBatch("job.cancelled")}`,
    values,
  );
  return rows.map(({ seq }) => seq);
}
