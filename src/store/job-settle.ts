/**
 * A held job ends, or goes back. Every move is one statement fenced by number, fence and status: the fence
 * grows with each move of the row (also with an operator's plain SQL), so it stands for worker and attempt,
 * and a late finisher changes nothing.
 */
import type { Json } from "../base/json.js";
import type { HeldJob } from "../job/job.js";
import type { Sql } from "./database.js";
import { numberList } from "./sql-lists.js";

/** How a held job ends, or goes back. */
export type Settlement =
  | { readonly held: HeldJob; readonly to: "completed"; readonly result: Json }
  | { readonly held: HeldJob; readonly to: "failed" | "quarantined"; readonly error: string }
  | {
      readonly held: HeldJob;
      readonly to: "pending";
      /** Due after so long, by the database's clock: those of processes differ. Null: at once, where it stood. */
      readonly delayMs: number | null;
      readonly error: string | null;
      readonly burnAttempt: boolean;
    };

const SETTLE = `
WITH wanted AS (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS w(
    seq bigint, fence bigint, kind text, status text, result jsonb, error text, delay_ms float8, burn boolean)
), mine AS (
  SELECT held.seq FROM (SELECT seq, fence FROM wanted ORDER BY seq) w CROSS JOIN LATERAL (
    SELECT seq FROM public.jobs WHERE seq = w.seq AND fence = w.fence AND status = 'running' LIMIT 1 FOR UPDATE
  ) held
), moved AS (
  UPDATE public.jobs SET
    status = w.status, fence = jobs.fence + 1, worker_id = NULL,
    attempts = jobs.attempts - CASE WHEN w.burn THEN 0 ELSE 1 END,
    result = w.result,
    error = CASE WHEN w.status = 'completed' THEN NULL ELSE coalesce(w.error, jobs.error) END,
    scheduled_at = coalesce(now() + w.delay_ms * interval '1 ms', jobs.scheduled_at),
    started_at = CASE WHEN w.status = 'pending' THEN NULL ELSE jobs.started_at END,
    completed_at = CASE WHEN w.status = 'pending' THEN NULL ELSE now() END
  FROM wanted w JOIN mine USING (seq)
  WHERE jobs.seq = w.seq AND jobs.fence = w.fence AND jobs.status = 'running'
  RETURNING jobs.seq, jobs.status = 'pending' AND jobs.scheduled_at < clock_timestamp() + interval '100 ms' AS due
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
  const moved = new Set(rows.map(({ seq }) => seq));
  const late = settlements.map(({ held }) => held).filter(({ seq }) => !moved.has(seq));
  if (late.length > 0) await countLate(sql, late);
  return moved;
}

function toInput(settlement: Settlement): object {
  const { held, to } = settlement;
  const key = { seq: held.seq, fence: held.fence, kind: held.kind, status: to };
  if (to === "completed") return { ...key, result: settlement.result, burn: true };
  if (to !== "pending") return { ...key, error: settlement.error, burn: true };
  const { delayMs, error, burnAttempt } = settlement;
  return { ...key, delay_ms: delayMs, error, burn: burnAttempt };
}

/**
 * Each row is looked up by its key, whatever the statistics say: of running rows they say that there are none, and
 * a plan that believes it walks all of them for each. Lowest number first, so that no two batches wait for each
 * other in a ring.
 */
const COMPLETE = `
WITH moved AS (
  UPDATE public.jobs SET status = 'completed', fence = fence + 1, worker_id = NULL, completed_at = now(),
    error = NULL, result = $3::jsonb -> seq::text
  WHERE ctid = ANY (ARRAY(
    SELECT mine.ctid FROM unnest($1::bigint[], $2::bigint[]) AS w(seq, fence) CROSS JOIN LATERAL (
      SELECT ctid FROM public.jobs
      WHERE seq = w.seq AND fence = w.fence AND status = 'running' LIMIT 1 FOR UPDATE
    ) mine))
  RETURNING seq
)
SELECT count(*)::int AS count, CASE WHEN count(*) < cardinality($1::bigint[]) THEN array_agg(seq) END AS moved FROM moved`;

export interface Completion {
  readonly held: HeldJob;
  readonly result: Json;
}

/** As `settleJobs`, for what most jobs do: they complete. Returns those that were no longer ours. */
export async function completeJobs(
  sql: Sql,
  completions: readonly Completion[],
): Promise<HeldJob[]> {
  const ordered = [...completions].sort((a, b) => a.held.seq - b.held.seq);
  const results = ordered.filter(({ result }) => result !== null);
  const { rows } = await sql.query<{ count: number; moved: number[] | null }>(
    COMPLETE,
    [
      numberList(ordered.map(({ held }) => held.seq)),
      numberList(ordered.map(({ held }) => held.fence)),
      JSON.stringify(Object.fromEntries(results.map(({ held, result }) => [held.seq, result]))),
    ],
    "complete-jobs",
  );
  const { count, moved } = rows[0]!;
  if (count === ordered.length) return [];
  const ours = new Set(moved);
  return completeByKey(
    sql,
    ordered.filter(({ held }) => !ours.has(held.seq)),
  );
}

/**
 * A row that somebody changed while we waited for its lock (a priority set by hand) is another version, which a look by
 * place does not see: by its key it is found. The others are no longer ours.
 */
async function completeByKey(sql: Sql, completions: readonly Completion[]): Promise<HeldJob[]> {
  const settlements = completions.map((one) => ({ ...one, to: "completed" as const }));
  const moved = await settleJobs(sql, settlements);
  return completions.map(({ held }) => held).filter(({ seq }) => !moved.has(seq));
}

async function countLate(sql: Sql, late: readonly HeldJob[]): Promise<void> {
  await sql.query(
    `INSERT INTO control.late_settle (job_type, count)
     SELECT kind, count(*) FROM unnest($1::text[]) AS l(kind) GROUP BY kind
     ON CONFLICT (job_type) DO UPDATE SET count = late_settle.count + excluded.count, last_at = now()`,
    [late.map(({ kind }) => kind)],
  );
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
  next: { readonly delayMs: number; readonly error: string; readonly burnAttempt: boolean },
): Promise<boolean> {
  return settleOne(sql, { held, to: "pending", ...next });
}

/** Given back unfinished by a process that stops: due at once, no attempt burnt. */
export function releaseJob(sql: Sql, held: HeldJob): Promise<boolean> {
  return settleOne(sql, released(held));
}

/** As it stood before its claim. */
export function released(held: HeldJob): Settlement {
  return { held, to: "pending", delayMs: null, error: null, burnAttempt: false };
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
