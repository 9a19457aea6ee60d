/** What becomes of the jobs of worker processes that died. Time is the database's. */
import type { HeldJob } from "../job/job.js";
import { ask, type Question } from "./ask-together.js";
import type { Sql } from "./database.js";
import { HELD_COLUMNS, rankOf } from "./job-columns.js";

export interface DeadWorker {
  readonly id: string;
}

export interface LivingWorker {
  readonly id: string;
  /** See runtime/process-key. */
  readonly processKey: string | null;
  /** Since its last beat, but not longer than there has been a database to beat in. */
  readonly silentMs: number;
}

/** Those that nobody has declared dead. */
const LIVING: Question<readonly LivingWorker[]> = {
  name: "workers.living",
  sql: `(SELECT coalesce(json_agg(json_build_object('id', w.id, 'processKey', w.process_key, 'silentMs',
      extract(epoch FROM now() - greatest(w.last_heartbeat, pg_postmaster_start_time())) * 1000)
      ORDER BY w.process_number), '[]')
    FROM public.workers w WHERE w.status IN ('alive', 'draining'))`,
};

/** Ids of those that ended, and left jobs behind. */
const ENDED_WITH_JOBS: Question<readonly string[]> = {
  name: "workers.ended-with-jobs",
  sql: `(SELECT coalesce(json_agg(w.id), '[]') FROM public.workers w WHERE w.status IN ('dead', 'stopped')
    AND w.id IN (SELECT j.worker_id FROM public.jobs j WHERE j.status = 'running'))`,
};

/**
 * Those that have not beaten for so long while there was a database to beat in, and those that ended but still
 * hold jobs.
 */
export async function listDeadWorkers(sql: Sql, deadAfterMs: number): Promise<DeadWorker[]> {
  const [living, ended] = await Promise.all([ask(sql, LIVING), ask(sql, ENDED_WITH_JOBS)]);
  const silent = living.filter(({ silentMs }) => silentMs > deadAfterMs);
  return [...silent.map(({ id }) => ({ id })), ...ended.map((id) => ({ id }))];
}

export function listLivingWorkers(sql: Sql): Promise<readonly LivingWorker[]> {
  return ask(sql, LIVING);
}

export interface Death {
  /** Jobs whose handler had started, as of its last beat; null when its software does not say. */
  readonly beaten: readonly number[] | null;
  /** Jobs that it took after that beat, in the order in which it would start them: of these nothing was said. */
  readonly since: readonly number[];
  /** Workers that died within the window besides it. */
  readonly otherDeaths: number;
}

export async function readDeath(sql: Sql, workerId: string, windowMs: number): Promise<Death> {
  const { rows } = await sql.query<Death>(
    `SELECT (SELECT to_jsonb(w.started_jobs) FROM public.workers w WHERE w.id = $1) AS beaten,
       (SELECT coalesce(jsonb_agg(j.seq ORDER BY j.started_at, ${rankOf("j")}, j.seq), '[]')
        FROM public.jobs j JOIN public.workers w ON w.id = j.worker_id AND j.started_at > w.last_heartbeat
        WHERE j.status = 'running' AND w.id = $1) AS since,
       (SELECT count(*)::int FROM public.workers w
        WHERE w.status = 'dead' AND w.id <> $1 AND w.stopped_at > now() - $2 * interval '1 ms') AS "otherDeaths"`,
    [workerId, windowMs],
  );
  return rows[0]!;
}

/**
 * Takes the running jobs of a worker out of its hands: a late finish of it changes nothing any more.
 * They stay `running`, held by the caller, who settles each in the same transaction as healing decides.
 */
export async function takeJobsOfDeadWorker(tx: Sql, workerId: string): Promise<HeldJob[]> {
  return take(tx, "jobs.worker_id = $1", [workerId]);
}

/** `age`: an interval in SQL. */
const orphanedFor = (age: string) => `coalesce(jobs.started_at, jobs.created_at) < now() - ${age}
  AND NOT EXISTS (SELECT FROM public.workers w WHERE w.id = jobs.worker_id)`;

/** The same for running rows that no known worker holds, e.g. ones inserted by hand, after a grace time. */
export async function takeOrphanedJobs(tx: Sql, olderThanMs: number): Promise<HeldJob[]> {
  return take(tx, orphanedFor("$1 * interval '1 ms'"), [olderThanMs]);
}

/** Whether there are any. */
export function hasOrphanedJobs(sql: Sql, olderThanMs: number): Promise<boolean> {
  const age = `interval '${Math.trunc(olderThanMs)} ms'`;
  return ask<boolean>(sql, {
    name: `jobs.orphaned.${Math.trunc(olderThanMs)}`,
    sql: `EXISTS (SELECT FROM public.jobs WHERE jobs.status = 'running' AND ${orphanedFor(age)})`,
  });
}

async function take(tx: Sql, condition: string, values: readonly unknown[]): Promise<HeldJob[]> {
  const { rows } = await tx.query<HeldJob>(
    `UPDATE public.jobs SET fence = fence + 1 WHERE jobs.status = 'running' AND ${condition}
     RETURNING ${HELD_COLUMNS}`,
    values,
  );
  return rows;
}

/** One more death that this job may have caused. */
export async function chargeJobs(tx: Sql, seqs: readonly number[]): Promise<void> {
  if (seqs.length === 0) return;
  await tx.query("UPDATE public.jobs SET crash_count = crash_count + 1 WHERE seq = ANY ($1)", [
    seqs,
  ]);
}
