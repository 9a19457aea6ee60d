/**
 * A worker takes jobs: many in one statement, in the order of one index that holds only pending rows.
 * What follows is in job-settle.ts.
 */

import type { HeldJob } from "../job/job.js";
import { INTERNAL_KINDS } from "../job/kinds.js";
import type { Sql } from "./database.js";
import { rankOf } from "./job-columns.js";

export interface ClaimOptions {
  readonly workerId: string;
  /** `free`: jobs of the kind at most, within all limits. */
  readonly kinds: readonly { readonly kind: string; readonly free: number }[];
  /** Jobs at most in this claim. */
  readonly max: number;
  /** Public kinds that safe mode lets through; internal kinds always pass. */
  readonly safeModeKinds: readonly string[];
}

const RANK = rankOf("jobs");
/** No due row of a priority of 0 or more ranks later; the scan ends here, before the rows of the future. */
const RANK_NOW = "date_part('epoch', now() - timestamptz '2000-01-01 00:00:00+00')";

/** By ctid: the rows are locked, so it cannot change, and no plan can look them up in a worse way. */
const CLAIM = `
WITH open AS (
  SELECT w.kind, w.room FROM unnest($1::text[], $2::int[]) AS w(kind, room)
  WHERE w.kind = ANY ($5) OR (
    NOT EXISTS (SELECT FROM control.queue_pause p
                WHERE p.job_type IN (w.kind, '*') AND (p.expires_at IS NULL OR p.expires_at > now()))
    AND (w.kind = ANY ($6) OR NOT (SELECT active FROM control.safe_mode)))
)
UPDATE public.jobs SET status = 'running', worker_id = $4, fence = fence + 1, started_at = now(),
  attempts = attempts + 1, attempts_total = attempts_total + 1
WHERE status = 'pending' AND ctid = ANY (ARRAY(
  SELECT due.ctid FROM open CROSS JOIN LATERAL (
    SELECT ctid, ${RANK} AS rank FROM public.jobs
    WHERE status = 'pending' AND job_type = open.kind AND ${RANK} <= ${RANK_NOW} AND scheduled_at <= now()
    ORDER BY ${RANK}, scheduled_at, seq
    LIMIT open.room
    FOR UPDATE SKIP LOCKED
  ) due
  ORDER BY due.rank LIMIT $3))
RETURNING seq, job_type AS kind, payload, attempts AS attempt, fence, crash_count AS "crashCount",
  (date_part('epoch', created_at) * 1000)::bigint AS "createdMs", ${RANK}::bigint AS rank`;

/** Numbers, because texts of times are made and read for each of many rows. */
type ClaimedRow = Omit<HeldJob, "id" | "createdAt"> & {
  readonly createdMs: number;
  readonly rank: number;
};

/**
 * Takes due jobs: larger priority and longer waiting first, a level being worth ten minutes. Honours pauses and
 * safe mode. Limits are the caller's: see capacity.ts.
 */
export async function claimJobs(sql: Sql, options: ClaimOptions): Promise<HeldJob[]> {
  const open = options.kinds.filter(({ free }) => free > 0);
  if (open.length === 0 || options.max <= 0) return [];
  const values = [
    open.map(({ kind }) => kind),
    open.map(({ free }) => free),
    options.max,
    options.workerId,
    INTERNAL_KINDS,
    options.safeModeKinds,
  ];
  const { rows } = await sql.query<ClaimedRow>(CLAIM, values, "claim-jobs");
  return rows.sort((a, b) => a.rank - b.rank || a.seq - b.seq).map(toHeldJob);
}

function toHeldJob(row: ClaimedRow): HeldJob {
  const { seq, kind, payload, attempt, fence, crashCount, createdMs } = row;
  const createdAt = new Date(createdMs);
  return { seq, id: `job-${seq}`, kind, payload, attempt, fence, crashCount, createdAt };
}
