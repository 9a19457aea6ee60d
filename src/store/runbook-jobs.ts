/** What runbooks may know of jobs and do to them, beyond one retry: named statements, each audited. */
import { fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { SchemaFinding } from "../base/schema.js";
import type { JobStatus } from "../job/job.js";
import type {
  FailedCount,
  FailedFilter,
  JobView,
  MovedJobs,
  RuntimeReader,
  RuntimeWriter,
} from "../runbook/port.js";
import { appendAudit } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { cancelJob, correctPayload } from "./job-actions.js";
import { countBulk, runBulk } from "./job-bulk.js";

/** The same schema as at every other door. */
export type CheckPayload = (kind: string, payload: JsonObject) => readonly SchemaFinding[];

export const JOB_VIEW = `jobs.seq, jobs.id, jobs.job_type AS kind, jobs.status, jobs.attempts, jobs.error,
  jobs.worker_id AS "workerId", jobs.fence, jobs.payload, jobs.result, jobs.priority, jobs.scheduled_at AS "scheduledAt",
  jobs.created_at AS "createdAt", jobs.started_at AS "startedAt", jobs.completed_at AS "completedAt"`;

/** Errors that are told apart in a count. */
const ERRORS_SHOWN = 5;
/** Of an error's text: what follows is details of the one job. */
const ERROR_START = 120;
/** Jobs that change their priority in one go: their rows are locked meanwhile. */
export const PRIORITIZED_MAX = 10_000;
/** One call of a runbook moves jobs for so long at most, in milliseconds; the rest stays as it was. */
const RERUN_MAX_MS = 30_000;

type JobReader = Pick<
  RuntimeReader,
  "quarantined" | "countFailed" | "statusesOf" | "pendingOf" | "checkPayload"
>;

export function createJobReader(sql: Sql, check: CheckPayload): JobReader {
  return {
    quarantined: async (limit) => {
      const { rows } = await sql.query<JobView>(
        `SELECT ${JOB_VIEW} FROM public.jobs WHERE status = 'quarantined'
         ORDER BY completed_at DESC NULLS LAST, seq DESC LIMIT $1`,
        [limit],
      );
      return rows;
    },
    countFailed: (filter) => countFailed(sql, filter),
    statusesOf: async (seqs) => {
      const { rows } = await sql.query<{ status: JobStatus; count: number }>(
        "SELECT status, count(*)::int AS count FROM public.jobs WHERE seq = ANY ($1) GROUP BY status",
        [seqs],
      );
      return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
    },
    pendingOf: async (kind) => {
      const { rows } = await sql.query<{ priority: number; count: number }>(
        `SELECT priority, count(*)::int AS count FROM public.jobs
         WHERE status = 'pending' AND job_type = $1 GROUP BY priority ORDER BY priority DESC`,
        [kind],
      );
      return rows;
    },
    checkPayload: (kind, payload) => check(kind, payload).map(inWords),
  };
}

function inWords({ pointer, message }: SchemaFinding): string {
  return `${pointer === "" ? "the payload" : pointer} ${message}`;
}

/** What was counted, for the act: from when on, up to which job, how many. */
interface Counted {
  readonly since: Date;
  readonly upToSeq: number;
  readonly count: number;
}

const toToken = ({ since, upToSeq, count }: Counted) =>
  `${since.toISOString()}/${upToSeq}/${count}`;

function fromToken(token: string): Counted {
  const [since = "", upToSeq, count] = token.split("/");
  return { since: new Date(since), upToSeq: Number(upToSeq), count: Number(count) };
}

const failedSince = (kind: string | null, since: Date) =>
  ({ status: "failed", ...(kind === null ? {} : { kind }), endedSince: since }) as const;

async function countFailed(sql: Sql, { kind, sinceMs }: FailedFilter): Promise<FailedCount> {
  const since = await timeAgo(sql, sinceMs);
  const { count, upToSeq } = await countBulk(sql, {
    action: "retry",
    filter: failedSince(kind, since),
  });
  const { rows } = await sql.query<{ error: string; count: number }>(
    `SELECT left(coalesce(error, 'no error was kept'), ${ERROR_START}) AS error, count(*)::int AS count FROM public.jobs
     WHERE status = 'failed' AND ($1::text IS NULL OR job_type = $1) AND completed_at >= $2 AND seq <= $3
     GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${ERRORS_SHOWN}`,
    [kind, since, upToSeq],
  );
  return { matching: count, byError: rows, token: toToken({ since, upToSeq, count }) };
}

/** By the database's clock, which is the one that wrote when jobs ended. */
async function timeAgo(sql: Sql, ms: number): Promise<Date> {
  const { rows } = await sql.query<{ at: Date }>("SELECT now() - $1 * interval '1 ms' AS at", [ms]);
  return rows[0]!.at;
}

type JobWriter = Pick<
  RuntimeWriter,
  "rerunFailed" | "cancelJob" | "correctJob" | "prioritize" | "restorePriorities"
>;

export interface JobWriterOptions {
  readonly actor: string;
  now(): Date;
  readonly check: CheckPayload;
}

export function createJobWriter(db: Database, options: JobWriterOptions): JobWriter {
  const { actor } = options;
  return {
    rerunFailed: (request) => rerunFailed(db, options, request),
    cancelJob: async ({ seq, reason }) => {
      const { outcome, before } = await cancelJob(db, { seq, actor, reason });
      if (outcome === "cancelled" && before !== undefined) return { before };
      throw fault.refused("JOB_NOT_CANCELLED", `job-${seq} was not cancelled: it is ${outcome}`);
    },
    correctJob: async ({ seq, fence, payload }) => {
      const request = { seq, actor, payload, fence, check: options.check };
      const { outcome, findings = [] } = await correctPayload(db, request);
      if (outcome === "corrected") return;
      const why = outcome === "invalid" ? findings.map(inWords).join("; ") : outcome;
      throw fault.refused("JOB_NOT_CORRECTED", `the payload of job-${seq} stays: ${why}`);
    },
    prioritize: async ({ kind, from, to, reason }) => ({
      moved: await prioritize(db, actor, { kind, from, to, reason }),
    }),
    restorePriorities: ({ moved, reason }) => restorePriorities(db, actor, moved, reason),
  };
}

type RerunRequest = Parameters<RuntimeWriter["rerunFailed"]>[0];

async function rerunFailed(db: Database, options: JobWriterOptions, request: RerunRequest) {
  const { since, upToSeq, count } = fromToken(request.token);
  const { kind, max, afterSeq, reason, spacingMs } = request;
  const startAt = options.now();
  const seqs: number[] = [];
  const { acted, stopped } = await runBulk(db, {
    ...{ action: "retry", filter: failedSince(kind, since), confirmed: { count, upToSeq } },
    asked: { kind, since: since.toISOString(), max },
    ...{ max, afterSeq },
    ...{ actor: options.actor, reason, startAt, spacingMs },
    isOver: () => options.now().getTime() - startAt.getTime() > RERUN_MAX_MS,
    onMoved: (moved) => seqs.push(...moved),
  });
  return { acted, stopped, seqs };
}

interface Prioritized {
  readonly kind: string;
  readonly from: number | null;
  readonly to: number;
  readonly reason: string;
}

/** Only what waits: a running job has what it asked for. */
async function prioritize(
  db: Database,
  actor: string,
  { kind, from, to, reason }: Prioritized,
): Promise<MovedJobs[]> {
  return db.transaction(async (tx) => {
    const { rows: moved } = await tx.query<MovedJobs>(
      `WITH picked AS (
         SELECT seq, priority FROM public.jobs
         WHERE status = 'pending' AND job_type = $1 AND ($2::int IS NULL OR priority = $2) AND priority <> $3
         ORDER BY seq LIMIT ${PRIORITIZED_MAX} FOR UPDATE
       ), moved AS (
         UPDATE public.jobs SET priority = $3 FROM picked WHERE jobs.seq = picked.seq RETURNING jobs.seq
       )
       SELECT priority, array_agg(seq ORDER BY seq) AS seqs FROM picked JOIN moved USING (seq)
       GROUP BY priority ORDER BY priority`,
      [kind, from, to],
    );
    await auditMove(tx, actor, kind, { to, jobs: countOf(moved), reason });
    return moved;
  });
}

const countOf = (moved: readonly MovedJobs[]) =>
  moved.reduce((sum, { seqs }) => sum + seqs.length, 0);

async function restorePriorities(
  db: Database,
  actor: string,
  moved: readonly MovedJobs[],
  reason: string,
): Promise<number> {
  const pairs = moved.flatMap(({ priority, seqs }) => seqs.map((seq) => ({ seq, priority })));
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ kind: string }>(
      `UPDATE public.jobs SET priority = was.priority
       FROM unnest($1::bigint[], $2::int[]) AS was(seq, priority)
       WHERE jobs.seq = was.seq AND jobs.status = 'pending' RETURNING jobs.job_type AS kind`,
      [pairs.map(({ seq }) => seq), pairs.map(({ priority }) => priority)],
    );
    const [first] = rows;
    if (first) await auditMove(tx, actor, first.kind, { to: null, jobs: rows.length, reason });
    return rows.length;
  });
}

function auditMove(tx: Sql, actor: string, kind: string, details: JsonObject): Promise<unknown> {
  return appendAudit(tx, { actor, action: "jobs.prioritized", target: `queue-${kind}`, details });
}
