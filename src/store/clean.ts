/**
 * Removing finished jobs of a queue by hand (EP-11, EP-14, BQ-wrk-05). Quarantined ones wait for a person and
 * leave by retention alone, which exports them first; what waits or runs is never removed.
 */
import { appendAudit } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { deleteJobs } from "./retention.js";

export const CLEANABLE = ["completed", "failed", "cancelled"] as const;
export type CleanableStatus = (typeof CLEANABLE)[number];

/** A transaction removes no more than this, so that it never holds locks for long. */
const BATCH_JOBS = 1_000;

export interface CleanScope {
  readonly kinds: readonly string[];
  readonly status: CleanableStatus;
  /** Only jobs that ended before. */
  readonly before: Date;
}

/** By kind; kinds without such jobs are not named. */
export type CleanCounts = Readonly<Record<string, number>>;

/** Rows of plain SQL may have no end: the time of their making stands for it. */
const IS_MEANT = `status = $1 AND job_type = ANY ($2) AND coalesce(completed_at, created_at) < $3`;

function valuesOf({ status, kinds, before }: CleanScope): unknown[] {
  return [status, kinds, before];
}

/** What the removal would remove now. */
export async function countCleanable(sql: Sql, scope: CleanScope): Promise<CleanCounts> {
  const { rows } = await sql.query<{ kind: string; count: number }>(
    `SELECT job_type AS kind, count(*) AS count FROM public.jobs WHERE ${IS_MEANT} GROUP BY job_type ORDER BY job_type`,
    valuesOf(scope),
  );
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]));
}

export interface CleanRequest extends CleanScope {
  readonly actor: string;
  /** Of the audit: `queue:index`. */
  readonly target: string;
  /** Asked between two batches. */
  readonly isOver: () => boolean;
}

/** Each batch is audited in its own transaction. Rows that somebody acts on at this moment are passed over. */
export async function cleanJobs(
  db: Database,
  request: CleanRequest,
): Promise<{ readonly counts: CleanCounts; readonly done: boolean }> {
  const counts: Record<string, number> = {};
  let afterSeq = 0;
  while (!request.isOver()) {
    const batch = await db.transaction((tx) => cleanBatch(tx, request, afterSeq));
    if (batch.length === 0) return { counts, done: true };
    for (const { kind } of batch) counts[kind] = (counts[kind] ?? 0) + 1;
    afterSeq = batch.at(-1)!.seq;
  }
  return { counts, done: false };
}

interface Removed {
  readonly seq: number;
  readonly kind: string;
}

/** In the order of the key: what is gone already is not walked over again. */
async function cleanBatch(tx: Sql, request: CleanRequest, afterSeq: number): Promise<Removed[]> {
  const { rows } = await tx.query<Removed>(
    `SELECT seq, job_type AS kind FROM public.jobs WHERE ${IS_MEANT} AND seq > $4
     ORDER BY seq LIMIT ${BATCH_JOBS} FOR UPDATE SKIP LOCKED`,
    [...valuesOf(request), afterSeq],
  );
  const [first] = rows;
  const last = rows.at(-1);
  if (!first || !last) return [];
  await deleteJobs(
    tx,
    rows.map(({ seq }) => seq),
  );
  const { actor, target, status, before } = request;
  const range = { first: `job-${first.seq}`, last: `job-${last.seq}` };
  const details = { status, before: before.toISOString(), removed: rows.length, ...range };
  await appendAudit(tx, { actor, action: "queue.cleaned", target, details });
  return rows;
}
