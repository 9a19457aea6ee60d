/** When each schedule last enqueued: so that two leaders do not enqueue twice, and missed runs are known after downtime. */
import type { Sql } from "./database.js";

/** Clocks of two machines differ by less. */
export const AHEAD_MAX_MS = 60_000;

export interface ScheduleRun {
  readonly name: string;
  readonly lastDueAt: Date;
  readonly jobSeq: number | null;
}

/**
 * True for the one caller who is to enqueue the run that was due at this time; a run not after the last one is never
 * given, unless that one lies in the future, where only a wrong clock has put it.
 */
export async function claimScheduleRun(
  tx: Sql,
  run: { readonly name: string; readonly dueAt: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO control.schedule_run AS s (name, last_due_at) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET last_due_at = excluded.last_due_at, job_seq = NULL
     WHERE s.last_due_at < excluded.last_due_at
       OR now() + $3 * interval '1 ms' BETWEEN excluded.last_due_at AND s.last_due_at`,
    [run.name, run.dueAt, AHEAD_MAX_MS],
  );
  return rowCount === 1;
}

/** In the same transaction as the claim: which job it became. */
export async function noteScheduledJob(
  tx: Sql,
  run: { readonly name: string; readonly jobSeq: number },
): Promise<void> {
  await tx.query("UPDATE control.schedule_run SET job_seq = $2 WHERE name = $1", [
    run.name,
    run.jobSeq,
  ]);
}

export async function listScheduleRuns(sql: Sql): Promise<ScheduleRun[]> {
  const { rows } = await sql.query<ScheduleRun>(
    `SELECT name, last_due_at AS "lastDueAt", job_seq AS "jobSeq" FROM control.schedule_run ORDER BY name`,
  );
  return rows;
}
