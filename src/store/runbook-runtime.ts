/** The runtime as runbooks see it: named statements with parameters, each change in the actor's name. */
import { fault } from "../base/fault.js";
import { PUBLIC_KINDS } from "../job/kinds.js";
import type {
  AuditView,
  HealingView,
  JobView,
  QueueView,
  RuntimeReader,
  RuntimeWriter,
} from "../runbook/port.js";
import { readAuditOfTarget } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { retryJob } from "./job-actions.js";
import { readAttempts } from "./job-attempts.js";
import { seqOf } from "./job-columns.js";
import { ALL_QUEUES, listPauses, pauseQueue, resumeQueue } from "./pauses.js";
import { readQueueDepth } from "./queue-stats.js";
import { createJobSubmitter, type RunJobOptions } from "./run-jobs.js";
import {
  type CheckPayload,
  createJobReader,
  createJobWriter,
  JOB_VIEW,
  type JobWriterOptions,
} from "./runbook-jobs.js";
import { readSafeMode } from "./safe-mode.js";
import { countClaimingWorkers } from "./workers.js";

export function createRuntimeReader(
  sql: Sql,
  options: { readonly workerDeadAfterMs: number; readonly check: CheckPayload },
): RuntimeReader {
  return {
    job: (seq) => readJobView(sql, seq),
    healingOf: (jobId, limit) => readHealing(sql, { jobId, sinceMs: null, limit }),
    healing: ({ sinceMs, limit }) => readHealing(sql, { jobId: null, sinceMs, limit }),
    attemptsOf: (seq, limit) => readAttempts(sql, seq, limit),
    auditOf: (target, limit) => readAudit(sql, target, limit),
    queues: () => readQueues(sql),
    pauses: async () =>
      (await listPauses(sql)).map((pause) => ({ ...pause, kind: toWord(pause.kind) })),
    liveWorkers: () => countClaimingWorkers(sql, options.workerDeadAfterMs, PUBLIC_KINDS),
    startedSince: (kind, since) => countStarted(sql, kind, since),
    safeMode: async () => {
      const { active, reason } = await readSafeMode(sql);
      return { active, reason };
    },
    ...createJobReader(sql, options.check),
  };
}

export function createRuntimeWriter(
  db: Database,
  options: JobWriterOptions & RunJobOptions,
): RuntimeWriter {
  const { actor, now } = options;
  return {
    retryJob: async ({ seq, reason, force }) => {
      const { outcome } = await retryJob(db, { seq, actor, reason, force });
      if (outcome !== "retried")
        throw fault.refused(
          "JOB_NOT_RETRIED",
          `job-${seq} was not set to pending: it is ${outcome}`,
        );
    },
    pauseQueue: async ({ kind, reason, forMs }) => {
      const expiresAt = new Date(now().getTime() + forMs);
      await pauseQueue(db, { kind: toQueue(kind), reason, by: actor, expiresAt });
    },
    resumeQueue: ({ kind }) => resumeQueue(db, { kind: toQueue(kind), by: actor }),
    ...createJobWriter(db, options),
    ...createJobSubmitter(db, options),
  };
}

/** What people type for all queues. */
const ALL = "all";

function toQueue(word: string): string {
  return word === ALL ? ALL_QUEUES : word;
}

function toWord(queue: string): string {
  return queue === ALL_QUEUES ? ALL : queue;
}

async function readJobView(sql: Sql, seq: number): Promise<JobView | null> {
  const { rows } = await sql.query<JobView>(`SELECT ${JOB_VIEW} FROM public.jobs WHERE seq = $1`, [
    seq,
  ]);
  return rows[0] ?? null;
}

async function readHealing(
  sql: Sql,
  filter: {
    readonly jobId: string | null;
    readonly sinceMs: number | null;
    readonly limit: number;
  },
): Promise<HealingView[]> {
  const { rows } = await sql.query<HealingView>(
    `SELECT log.job_id AS "jobId", jobs.job_type AS kind, log.failure_type AS "failureType", log.strategy,
            log.attempt_number AS attempt, log.success, log.context->>'error' AS error, log.created_at AS at
     FROM public.healdec_log AS log LEFT JOIN public.jobs ON jobs.seq = ${seqOf("log.job_id")}
     WHERE ($1::text IS NULL OR log.job_id = $1)
       AND ($2::float8 IS NULL OR log.created_at > now() - $2 * interval '1 ms')
     ORDER BY log.created_at DESC, log.seq DESC LIMIT $3`,
    [filter.jobId, filter.sinceMs, filter.limit],
  );
  return rows;
}

async function readAudit(sql: Sql, target: string, limit: number): Promise<AuditView[]> {
  const entries = await readAuditOfTarget(sql, target, limit);
  return entries.reverse().map(({ createdAt: at, actor, action }) => ({ at, actor, action }));
}

/** Every status has a partial index of its own; completed and cancelled jobs, the many, are not touched. */
async function readQueues(sql: Sql): Promise<QueueView[]> {
  const depths = await readQueueDepth(sql);
  const { rows } = await sql.query<{ kind: string; status: string; count: number }>(
    `SELECT job_type AS kind, status, count(*)::int AS count FROM public.jobs
       WHERE status = 'running' AND job_type = ANY ($1) GROUP BY job_type, status
     UNION ALL
     SELECT job_type AS kind, status, count(*)::int FROM public.jobs
       WHERE status IN ('failed', 'quarantined') AND job_type = ANY ($1) GROUP BY job_type, status`,
    [PUBLIC_KINDS],
  );
  const countOf = (kind: string, status: string) =>
    rows.find((row) => row.kind === kind && row.status === status)?.count ?? 0;
  return PUBLIC_KINDS.map((kind) => {
    const depth = depths.find(({ name }) => name === kind);
    return {
      kind,
      pending: depth?.pending ?? 0,
      running: countOf(kind, "running"),
      failed: countOf(kind, "failed"),
      quarantined: countOf(kind, "quarantined"),
      oldestPendingMs: depth && depth.due > 0 ? depth.oldestDueMs : null,
    };
  });
}

async function countStarted(sql: Sql, kind: string, since: Date): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM public.jobs WHERE job_type = $1 AND started_at > $2",
    [kind, since],
  );
  return rows[0]!.count;
}
