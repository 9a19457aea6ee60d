/**
 * The runtime's side of a job: take it, and give it back in one of five ways. Every move is one
 * statement fenced by number, fence and status: the fence grows with each move of the row (also with
 * an operator's plain SQL), so it stands for worker and attempt, and a late finisher changes nothing.
 */
import type { Json } from "../base/json.js";
import type { HeldJob } from "../job/job.js";
import { INTERNAL_KINDS } from "../job/kinds.js";
import type { Database, Sql } from "./database.js";
import { HELD_COLUMNS } from "./job-columns.js";

export interface ClaimOptions {
  readonly workerId: string;
  /** `free`: slots of this process; `globalMax`: running rows over all processes, null for no limit. */
  readonly kinds: readonly {
    readonly kind: string;
    readonly free: number;
    readonly globalMax: number | null;
  }[];
  /** Jobs at most in this claim. */
  readonly max: number;
  /** Running rows of public kinds over all processes (HB-env-10); null for no limit. */
  readonly globalCap: number | null;
  /** Public kinds that safe mode lets through; internal kinds always pass. */
  readonly safeModeKinds: readonly string[];
}

/** Claims that must count running rows wait for each other: a count is only true while nobody else counts. */
const CLAIM_LOCK = "SELECT pg_advisory_xact_lock(7205759404)";

const CLAIM = `
WITH running AS (
  SELECT job_type, count(*)::int AS count FROM public.jobs WHERE status = 'running' GROUP BY job_type
), open AS (
  SELECT w.kind, w.kind = ANY ($6) AS internal,
         least(w.free, $4, coalesce(w.global_max - coalesce(r.count, 0), w.free)) AS room
  FROM unnest($1::text[], $2::int[], $3::int[]) AS w(kind, free, global_max)
  LEFT JOIN running r ON r.job_type = w.kind
  WHERE w.kind = ANY ($6) OR (
    NOT EXISTS (SELECT FROM control.queue_pause p
                WHERE p.job_type = w.kind AND (p.expires_at IS NULL OR p.expires_at > now()))
    AND (w.kind = ANY ($7) OR NOT (SELECT active FROM control.safe_mode)))
), due AS (
  SELECT job.seq, job.priority, job.scheduled_at, open.internal
  FROM open CROSS JOIN LATERAL (
    SELECT seq, priority, scheduled_at FROM public.jobs
    WHERE status = 'pending' AND job_type = open.kind AND scheduled_at <= now()
    ORDER BY priority DESC, scheduled_at, seq
    LIMIT greatest(open.room, 0)
    FOR UPDATE SKIP LOCKED
  ) job
), ranked AS (
  SELECT due.*, row_number() OVER (PARTITION BY internal ORDER BY priority DESC, scheduled_at, seq) AS place
  FROM due
), chosen AS (
  SELECT seq FROM ranked
  WHERE internal OR $5::int IS NULL
     OR place <= $5 - (SELECT coalesce(sum(count), 0) FROM running WHERE job_type <> ALL ($6))
  ORDER BY priority DESC, scheduled_at, seq LIMIT $4
), claimed AS (
  UPDATE public.jobs SET status = 'running', worker_id = $8, fence = fence + 1, started_at = now(),
    attempts = attempts + 1, attempts_total = attempts_total + 1
  FROM chosen WHERE jobs.seq = chosen.seq AND jobs.status = 'pending'
  RETURNING ${HELD_COLUMNS}, jobs.priority, jobs.scheduled_at
)
SELECT seq, id, kind, payload, attempt, fence, "crashCount", "createdAt" FROM claimed ORDER BY priority DESC, scheduled_at, seq`;

/**
 * Takes due jobs, larger priority first, then longest due. Honours pauses, safe mode, slots, and both
 * kinds of limits over all processes, which are never exceeded.
 */
export async function claimJobs(db: Database, options: ClaimOptions): Promise<HeldJob[]> {
  const open = options.kinds.filter(({ free }) => free > 0);
  if (open.length === 0 || options.max <= 0) return [];
  const values = [
    open.map(({ kind }) => kind),
    open.map(({ free }) => free),
    open.map(({ globalMax }) => globalMax),
    options.max,
    options.globalCap,
    INTERNAL_KINDS,
    options.safeModeKinds,
    options.workerId,
  ];
  const limited = options.globalCap !== null || open.some(({ globalMax }) => globalMax !== null);
  if (!limited) return (await db.query<HeldJob>(CLAIM, values)).rows;
  return db.transaction(async (tx) => {
    await tx.query(CLAIM_LOCK);
    return (await tx.query<HeldJob>(CLAIM, values)).rows;
  });
}

/** How a held job ends, or goes back. */
export type Settlement =
  | { readonly held: HeldJob; readonly to: "completed"; readonly result: Json }
  | { readonly held: HeldJob; readonly to: "failed" | "quarantined"; readonly error: string }
  | {
      readonly held: HeldJob;
      readonly to: "pending";
      /** Null: at once, where it stood. */
      readonly at: Date | null;
      readonly error: string | null;
      readonly burnAttempt: boolean;
    };

const SETTLE = `
WITH wanted AS (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS w(
    seq bigint, fence bigint, kind text, status text, result jsonb, error text, at timestamptz, burn boolean)
), mine AS (
  SELECT jobs.seq FROM public.jobs JOIN wanted USING (seq, fence)
  WHERE jobs.status = 'running' ORDER BY jobs.seq FOR UPDATE OF jobs
), moved AS (
  UPDATE public.jobs SET
    status = w.status, fence = jobs.fence + 1, worker_id = NULL,
    attempts = jobs.attempts - CASE WHEN w.burn THEN 0 ELSE 1 END,
    result = w.result,
    error = CASE WHEN w.status = 'completed' THEN NULL ELSE coalesce(w.error, jobs.error) END,
    scheduled_at = coalesce(w.at, jobs.scheduled_at),
    started_at = CASE WHEN w.status = 'pending' THEN NULL ELSE jobs.started_at END,
    completed_at = CASE WHEN w.status = 'pending' THEN NULL ELSE now() END
  FROM wanted w JOIN mine USING (seq)
  WHERE jobs.seq = w.seq AND jobs.fence = w.fence AND jobs.status = 'running'
  -- Due again at once, or as good as that: the time is the caller's, and clocks differ.
  RETURNING jobs.seq, jobs.status = 'pending' AND jobs.scheduled_at < clock_timestamp() + interval '100 ms' AS due
), late AS (
  INSERT INTO control.late_settle (job_type, count)
  SELECT kind, count(*) FROM wanted WHERE seq NOT IN (SELECT seq FROM moved) GROUP BY kind
  ON CONFLICT (job_type) DO UPDATE SET count = late_settle.count + excluded.count, last_at = now()
)
SELECT seq, CASE WHEN due THEN pg_notify('algobrain_job', '')::text END AS hint FROM moved`;

/**
 * Many at once, in one statement. Returns the numbers of the jobs that moved; the others were no longer
 * ours, nothing of them changed, and they are counted in `control.late_settle`.
 */
export async function settleJobs(
  sql: Sql,
  settlements: readonly Settlement[],
): Promise<Set<number>> {
  if (settlements.length === 0) return new Set();
  const { rows } = await sql.query<{ seq: number }>(SETTLE, [
    JSON.stringify(settlements.map(toInput)),
  ]);
  return new Set(rows.map(({ seq }) => seq));
}

function toInput(settlement: Settlement): object {
  const { held, to } = settlement;
  const key = { seq: held.seq, fence: held.fence, kind: held.kind, status: to };
  if (to === "completed") return { ...key, result: settlement.result, burn: true };
  if (to !== "pending") return { ...key, error: settlement.error, burn: true };
  const { at, error, burnAttempt } = settlement;
  return { ...key, at: at?.toISOString() ?? null, error, burn: burnAttempt };
}

async function settleOne(sql: Sql, settlement: Settlement): Promise<boolean> {
  return (await settleJobs(sql, [settlement])).has(settlement.held.seq);
}

/** False, here and below: the job was no longer ours, and nothing changed. */
export function completeJob(sql: Sql, held: HeldJob, result: Json): Promise<boolean> {
  return settleOne(sql, { held, to: "completed", result });
}

export function failJob(
  sql: Sql,
  held: HeldJob,
  end: { readonly status: "failed" | "quarantined"; readonly error: string },
): Promise<boolean> {
  return settleOne(sql, { held, to: end.status, error: end.error });
}

/** Again at a time. Without `burnAttempt` the attempt is taken off the count again. */
export function rescheduleJob(
  sql: Sql,
  held: HeldJob,
  next: { readonly at: Date; readonly error: string; readonly burnAttempt: boolean },
): Promise<boolean> {
  return settleOne(sql, { held, to: "pending", ...next });
}

/** Given back unfinished by a process that stops: due at once, no attempt burnt. */
export function releaseJob(sql: Sql, held: HeldJob): Promise<boolean> {
  return settleOne(sql, { held, to: "pending", at: null, error: null, burnAttempt: false });
}

/** The numbers of those that this worker no longer holds: cancelled, reset or healed. Their handlers must be aborted. */
export async function findLostJobs(
  sql: Sql,
  workerId: string,
  held: readonly HeldJob[],
): Promise<number[]> {
  if (held.length === 0) return [];
  const { rows } = await sql.query<{ seq: number }>(
    `SELECT h.seq FROM unnest($2::bigint[], $3::bigint[]) AS h(seq, fence)
     WHERE NOT EXISTS (SELECT FROM public.jobs j WHERE j.seq = h.seq AND j.fence = h.fence
                       AND j.status = 'running' AND j.worker_id = $1)`,
    [workerId, held.map(({ seq }) => seq), held.map(({ fence }) => fence)],
  );
  return rows.map(({ seq }) => seq);
}
