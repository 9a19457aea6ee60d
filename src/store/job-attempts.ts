/**
 * What attempts at jobs told: progress, log lines, and why they failed (X-02, BQ-wrk-04). The fence of
 * the claim is the key, so that what a late attempt says never stands under a newer one.
 */
import type { HeldJob } from "../job/job.js";
import type { Sql } from "./database.js";

export type AttemptEnd = "completed" | "failed" | "waiting" | "released" | "lost";
export type LineLevel = "info" | "warn" | "error";

export interface AttemptLine {
  /** Grows within an attempt; a line that is written twice stays one. */
  readonly ordinal: number;
  readonly at: Date;
  readonly level: LineLevel;
  readonly message: string;
}

/** What is known of an attempt by now. Texts are redacted and cut by whoever makes it. */
export interface AttemptNews {
  readonly jobSeq: number;
  readonly fence: number;
  readonly attempt: number;
  /** `<kind>-worker-<process number>` (design 8.11). */
  readonly workerId: string;
  /** Null: as the row of the job says. */
  readonly startedAt: Date | null;
  /** Null while it runs. */
  readonly end: {
    readonly at: Date;
    readonly outcome: AttemptEnd;
    readonly error: AttemptError | null;
  } | null;
  /** In [0, 1]; null when nothing was said of it. */
  readonly progress: number | null;
  readonly note: string | null;
  /** Those not yet written. */
  readonly lines: readonly AttemptLine[];
  /** How many in all found no room. */
  readonly linesLeftOut: number;
}

export interface AttemptError {
  readonly code: string;
  readonly message: string;
  /** Where it was thrown, and what caused it. */
  readonly trace: string | null;
}

const WRITE = `
WITH news AS (
  SELECT n.*, coalesce(n.began_at, jobs.started_at, now()) AS started_at
  FROM jsonb_to_recordset($1::jsonb) AS n(
    job_seq bigint, fence bigint, attempt int, worker_id text, began_at timestamptz, ended_at timestamptz, outcome text,
    error_code text, error text, trace text, progress float8, note text, lines_left_out int, lines jsonb)
  JOIN public.jobs ON jobs.seq = n.job_seq
), kept AS (
  INSERT INTO control.job_attempt AS a (job_seq, fence, attempt, worker_id, started_at, ended_at, outcome,
    error_code, error, trace, progress, note, lines_left_out)
  SELECT job_seq, fence, attempt, worker_id, started_at, ended_at, outcome,
    error_code, error, trace, progress, note, lines_left_out
  FROM news ORDER BY job_seq, fence
  ON CONFLICT (job_seq, fence) DO UPDATE SET
    progress = coalesce(excluded.progress, a.progress),
    note = coalesce(excluded.note, a.note),
    lines_left_out = greatest(a.lines_left_out, excluded.lines_left_out),
    -- Its own word about its end comes first; that its worker died says less.
    ended_at = coalesce(a.ended_at, excluded.ended_at),
    outcome = coalesce(a.outcome, excluded.outcome),
    error_code = CASE WHEN a.outcome IS NULL THEN excluded.error_code ELSE a.error_code END,
    error = CASE WHEN a.outcome IS NULL THEN excluded.error ELSE a.error END,
    trace = CASE WHEN a.outcome IS NULL THEN excluded.trace ELSE a.trace END
)
INSERT INTO control.job_line (job_seq, fence, ordinal, at, level, message)
SELECT n.job_seq, n.fence, l.ordinal, l.at, l.level, l.message
FROM news n CROSS JOIN LATERAL jsonb_to_recordset(n.lines) AS l(ordinal bigint, at timestamptz, level text, message text)
ON CONFLICT DO NOTHING`;

/** A job that waits for its dependency for weeks must not keep thousands: each attempt moves the fence by two. */
const KEPT_FENCES = 200;

/** By place, since the planner, asked by key, would rather read the whole table as long as it has no statistics. */
const pruned = (table: string) => `
DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
  SELECT old.ctid FROM unnest($1::bigint[], $2::bigint[]) AS n(job_seq, fence) CROSS JOIN LATERAL
    (SELECT t.ctid FROM ${table} t WHERE t.job_seq = n.job_seq AND t.fence < n.fence - ${KEPT_FENCES} OFFSET 0) old))`;
const PRUNE = `WITH lines AS (${pruned("control.job_line")}) ${pruned("control.job_attempt")}`;

/** All in one statement; safe to repeat. What belongs to a job that is gone is dropped. */
export async function writeAttempts(sql: Sql, news: readonly AttemptNews[]): Promise<void> {
  if (news.length === 0) return;
  await sql.query(WRITE, [JSON.stringify(news.map(toInput))]);
  const old = news.filter(({ fence }) => fence > KEPT_FENCES);
  if (old.length === 0) return;
  await sql.query(PRUNE, [old.map(({ jobSeq }) => jobSeq), old.map(({ fence }) => fence)]);
}

function toInput({ end, ...news }: AttemptNews): object {
  return {
    job_seq: news.jobSeq,
    fence: news.fence,
    attempt: news.attempt,
    worker_id: news.workerId,
    began_at: news.startedAt,
    ended_at: end?.at,
    outcome: end?.outcome,
    error_code: end?.error?.code,
    error: end?.error?.message,
    trace: end?.error?.trace,
    progress: news.progress,
    note: news.note,
    lines_left_out: news.linesLeftOut,
    lines: news.lines,
  };
}

/** What others write about an attempt whose process died, before the job's row moves on. `fence` is that of its claim. */
export function deadAttempt(
  job: HeldJob,
  death: { readonly workerId: string; readonly fence: number; readonly at: Date },
): AttemptNews {
  const message = "the worker process died while the job ran";
  return {
    jobSeq: job.seq,
    fence: death.fence,
    attempt: job.attempt,
    workerId: death.workerId,
    startedAt: null,
    end: { at: death.at, outcome: "failed", error: { code: "WORKER_DIED", message, trace: null } },
    progress: null,
    note: null,
    lines: [],
    linesLeftOut: 0,
  };
}

/** An attempt as people see it. */
export interface Attempt extends Omit<AttemptNews, "end" | "lines" | "startedAt"> {
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** `unknown`: its worker died, or lost its database, before it could say. */
  readonly outcome: AttemptEnd | "running" | "unknown";
  readonly error: AttemptError | null;
  readonly lines: readonly Omit<AttemptLine, "ordinal">[];
}

const READ = `
SELECT a.job_seq AS "jobSeq", a.fence, a.attempt, a.worker_id AS "workerId", a.started_at AS "startedAt", a.ended_at AS "endedAt",
  coalesce(a.outcome, CASE WHEN j.status = 'running' AND j.fence = a.fence THEN 'running' ELSE 'unknown' END) AS outcome,
  a.error_code AS "errorCode", a.error, a.trace, a.progress, a.note, a.lines_left_out AS "linesLeftOut",
  (SELECT coalesce(jsonb_agg(jsonb_build_object('at', l.at, 'level', l.level, 'message', l.message) ORDER BY l.ordinal), '[]')
   FROM control.job_line l WHERE l.job_seq = a.job_seq AND l.fence = a.fence) AS lines
FROM control.job_attempt a JOIN public.jobs j ON j.seq = a.job_seq
WHERE a.job_seq = $1
UNION ALL
-- The one that runs or has succeeded without a word has no row but the job's own; a settled job is one fence further.
SELECT j.seq, j.fence, j.attempts, coalesce(j.worker_id, ''), j.started_at, j.completed_at, j.status, NULL, NULL, NULL, NULL, NULL, 0, '[]'
FROM public.jobs j
WHERE j.seq = $1 AND j.status IN ('running', 'completed')
  AND NOT EXISTS (SELECT FROM control.job_attempt a WHERE a.job_seq = j.seq AND a.fence >= j.fence - 1)
ORDER BY fence DESC LIMIT $2`;

type AttemptRow = Omit<Attempt, "error" | "lines"> & {
  readonly errorCode: string | null;
  readonly error: string | null;
  readonly trace: string | null;
  readonly lines: readonly {
    readonly at: string;
    readonly level: LineLevel;
    readonly message: string;
  }[];
};

/** Newest first. */
export async function readAttempts(sql: Sql, jobSeq: number, limit = 50): Promise<Attempt[]> {
  const { rows } = await sql.query<AttemptRow>(READ, [jobSeq, limit]);
  return rows.map(({ errorCode, error, trace, lines, ...attempt }) => ({
    ...attempt,
    error: errorCode === null ? null : { code: errorCode, message: error ?? "", trace },
    lines: lines.map(({ at, ...line }) => ({ at: new Date(at), ...line })),
  }));
}
