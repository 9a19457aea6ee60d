/**
 * Who holds a run. An executor takes it with a fence that only grows and a lease that it renews; whoever comes
 * after a lease has ended takes the run over, and by the fence the one before changes nothing any more.
 */
import { Fault, fault } from "../base/fault.js";
import { type Run, RunStopped } from "../runbook/run.js";
import { ask } from "./ask-together.js";
import { appendAudit } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { RUN_COLUMNS } from "./run-columns.js";

/** Renewed each second; a dead executor's run may be taken over after it. */
export const RUN_LEASE_MS = 30_000;

/** Its lease has ended, or its executor is known to have: a worker that cannot beat ends itself. */
export const NOBODY_HOLDS = `(run.lease_until IS NULL OR run.lease_until <= clock_timestamp()
  OR EXISTS (SELECT FROM public.workers WHERE workers.id = run.executor AND workers.status IN ('dead', 'stopped')))`;

export interface Taking {
  /** Milliseconds that it may work from its first start. */
  readonly timeoutMs?: number;
  /** What it is to hold; absent: as it was asked for. */
  readonly targets?: readonly string[];
}

/**
 * Takes the run for this executor; null when it has ended, waits for people, or another holds it. In a
 * transaction it waits for a write that the executor before has under way, so that none comes after.
 */
export async function startRun(tx: Sql, id: string, taking: Taking = {}): Promise<Run | null> {
  await tx.query("SELECT FROM control.run WHERE id = $1 FOR UPDATE", [id]);
  const { rows } = await tx.query<Run>(
    `UPDATE control.run AS run SET status = 'running', fence = run.fence + 1,
       lease_until = clock_timestamp() + $2 * interval '1 ms',
       executor = (SELECT worker_id FROM public.jobs WHERE jobs.seq = run.job_seq AND jobs.status = 'running'),
       started_at = coalesce(run.started_at, now()),
       deadline_at = coalesce(run.deadline_at, now() + $3::float8 * interval '1 ms'),
       targets = coalesce($4, run.targets)
     WHERE run.id = $1 AND run.waiting_for IS NULL
       AND (run.status = 'queued' OR (run.status = 'running' AND ${NOBODY_HOLDS}))
     RETURNING ${RUN_COLUMNS}`,
    [id, RUN_LEASE_MS, taking.timeoutMs ?? null, taking.targets ?? null],
  );
  return rows[0] ?? null;
}

/** Whoever leaves a run unfinished says so: another goes on at once. */
export async function letGoRun(sql: Sql, run: Pick<Run, "seq" | "fence">): Promise<void> {
  await sql.query(
    "UPDATE control.run SET lease_until = clock_timestamp() WHERE seq = $1 AND fence = $2 AND status = 'running'",
    [run.seq, run.fence],
  );
}

export type RunBeat =
  | { readonly state: "alive" | "lost" }
  /** Asked of this executor: it ends what it started, and takes back what it did. */
  | { readonly state: "cancel-asked"; readonly sentence: string }
  /** By the previous version's way: it has ended, and nothing can be taken back any more. */
  | { readonly state: "cancelled"; readonly sentence: string };

/** One statement: the leases live on, and the executor learns whether the run is still its own. */
export async function beatRun(
  sql: Sql,
  run: Pick<Run, "seq" | "fence">,
  targetCount: number,
): Promise<RunBeat> {
  const { rows } = await sql.query<{
    status: string;
    outcome: string | null;
    isMine: boolean;
    renewed: number;
    cancelBy: string | null;
    cancelReason: string | null;
  }>(
    `WITH mine AS (
       UPDATE control.run SET lease_until = clock_timestamp() + $3 * interval '1 ms'
       WHERE seq = $1 AND fence = $2 AND status = 'running' RETURNING seq
     ), renewed AS (
       UPDATE control.target_lock AS lock SET expires_at = clock_timestamp() + $3 * interval '1 ms'
       FROM mine WHERE lock.run_seq = mine.seq RETURNING 1
     )
     SELECT run.status, run.outcome, run.cancel_by AS "cancelBy", run.cancel_reason AS "cancelReason",
            EXISTS (SELECT FROM mine) AS "isMine", (SELECT count(*) FROM renewed)::int AS renewed
     FROM control.run AS run WHERE run.seq = $1 AND run.fence = $2`,
    [run.seq, run.fence, RUN_LEASE_MS],
  );
  const found = rows[0];
  if (!found) return { state: "lost" };
  if (found.status === "cancelled")
    return { state: "cancelled", sentence: found.outcome ?? "cancelled" };
  // More than it needs now: left over from an executor that had come further.
  if (!found.isMine || found.renewed < targetCount) return { state: "lost" };
  if (found.cancelBy === null) return { state: "alive" };
  const sentence = cancelSentence(found.cancelBy, found.cancelReason ?? "");
  return { state: "cancel-asked", sentence };
}

export function cancelSentence(by: string, reason: string): string {
  return `cancelled by ${by}: ${reason}`;
}

export interface SweptRun {
  readonly id: string;
  readonly outcome: "requeued" | "stalled";
}

/** Executors die; a little more than their lease tells it from a slow one. */
const SWEEP_AFTER_MS = 20_000;
const SWEEP_MAX = 100;

/** `after`: an interval in SQL. */
const leftFor = (after: string) =>
  `status = 'running' AND lease_until < clock_timestamp() - ${after}`;

/** Whether there are any. */
export function hasLeftRuns(sql: Sql): Promise<boolean> {
  const isLeft = leftFor(`interval '${SWEEP_AFTER_MS} ms'`);
  return ask<boolean>(sql, {
    name: "run.left",
    sql: `EXISTS (SELECT FROM control.run WHERE ${isLeft})`,
  });
}

/**
 * Runs that nobody holds any more: back to where an executor finds them, or stalled where no job is left to bring
 * one. Several may sweep at once; a run whose write is under way is left for the next time.
 */
export async function sweepRuns(tx: Sql, graceMs = SWEEP_AFTER_MS): Promise<SweptRun[]> {
  const { rows } = await tx.query<{ id: string; actor: string; outcome: SweptRun["outcome"] }>(
    `WITH left_behind AS (
       SELECT seq, EXISTS (SELECT FROM public.jobs WHERE jobs.seq = run.job_seq
                           AND jobs.status IN ('pending', 'running')) AS has_job
       FROM control.run AS run WHERE ${leftFor("$1 * interval '1 ms'")}
       ORDER BY seq LIMIT $2 FOR UPDATE OF run SKIP LOCKED
     ), freed AS (
       DELETE FROM control.target_lock AS lock USING left_behind AS found
       WHERE lock.run_seq = found.seq AND NOT found.has_job
     )
     UPDATE control.run AS run SET fence = run.fence + 1, lease_until = NULL, executor = NULL,
       status = CASE WHEN has_job THEN 'queued' ELSE 'stalled' END,
       outcome = CASE WHEN has_job THEN run.outcome
                 ELSE 'its executor and its job are gone: look before you repeat it' END,
       ended_at = CASE WHEN has_job THEN run.ended_at ELSE now() END
     FROM left_behind AS found WHERE run.seq = found.seq
     RETURNING run.id, run.actor, CASE WHEN has_job THEN 'requeued' ELSE 'stalled' END AS outcome`,
    [graceMs, SWEEP_MAX],
  );
  for (const { id, actor, outcome } of rows)
    await appendAudit(tx, { actor, action: `run.${outcome}`, target: id, details: {} });
  return rows.map(({ id, outcome }) => ({ id, outcome }));
}

/**
 * Milliseconds that are left of the lease, in one statement: for what changes something outside of the database, where
 * no transaction holds it, so that it has to end before. Throws as the run's own writes do. `isBoundToSwitch`: false for
 * what only looks, and goes on while the stop switch is on.
 */
export async function leaseLeft(
  sql: Sql,
  { seq, fence, id }: Pick<Run, "seq" | "fence" | "id">,
  isBoundToSwitch: boolean,
): Promise<number> {
  const { rows } = await sql.query<{ leftMs: number; isStopped: boolean }>(
    `SELECT (extract(epoch FROM least(run.lease_until, held.until) - clock_timestamp()) * 1000)::float8 AS "leftMs",
            coalesce((SELECT active FROM control.stop_switch), false) AS "isStopped"
     FROM control.run AS run, LATERAL (
       SELECT count(*) AS count, min(lock.expires_at) AS until FROM control.target_lock AS lock
       WHERE lock.run_seq = run.seq AND lock.target = ANY (run.targets)) AS held
     WHERE run.seq = $1 AND run.fence = $2 AND run.status = 'running' AND NOT ${NOBODY_HOLDS}
       AND held.count = (SELECT count(DISTINCT target) FROM unnest(run.targets) AS target)`,
    [seq, fence],
    "run-lease-left",
  );
  const [found] = rows;
  if (!found || found.leftMs <= 0) throw lostRun(id);
  if (isBoundToSwitch && found.isStopped) throw stoppedBySwitch();
  return found.leftMs;
}

/**
 * The database as a run may change it: every transaction first makes sure, and holds it until its end, that the
 * run still runs under this fence, holds its targets, and is not stopped (control.hold_run).
 */
export function heldBy(db: Database, run: Pick<Run, "seq" | "fence" | "id">): Database {
  const transaction = <T>(work: (tx: Sql) => Promise<T>): Promise<T> =>
    db.transaction(async (tx) => {
      await hold(tx, run);
      return work(tx);
    });
  return {
    query: (text, values) => transaction((tx) => tx.query(text, values)),
    transaction,
    // What has a session of its own could write past the fence.
    connect: () =>
      Promise.reject(fault.critical("RUN_SESSION", `${run.id} may not open a session of its own`)),
    close: () => Promise.resolve(),
  };
}

async function hold(tx: Sql, { seq, fence, id }: Pick<Run, "seq" | "fence" | "id">): Promise<void> {
  try {
    await tx.query("SELECT control.hold_run($1, $2)", [seq, fence]);
  } catch (thrown) {
    const state = thrown instanceof Fault ? thrown.details.sqlstate : null;
    if (state === "RUN01") throw lostRun(id, thrown);
    if (state === "RUN02") throw stoppedBySwitch();
    throw thrown;
  }
}

function lostRun(id: string, cause?: unknown) {
  return fault.waiting("RUN_LOST", `${id} or one of its targets was taken`, { cause });
}

function stoppedBySwitch() {
  return new RunStopped("stalled", "the stop switch is on");
}
