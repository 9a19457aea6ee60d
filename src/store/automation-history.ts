/** What automation did lately: read under one lock, so that of two causes in one moment the second sees the run of the first. */
import type { PastRun } from "../runbook/budget.js";
import type { Sql } from "./database.js";

const COLUMNS = `run.id, run.runbook, run.automation, run.targets, run.cause_depth AS "causeDepth", run.status, run.verified,
  coalesce(run.cause_key, 'incident:' || run.incident_id) AS "causeKey",
  run.requested_at AS "requestedAt", run.started_at AS "startedAt", run.ended_at AS "endedAt"`;

/**
 * One lock for all automation, because they share one budget. Held until the transaction ends: take it after
 * everything that can be read without it.
 */
export async function lockAutomation(tx: Sql): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('automation'))");
}

export interface AutomationHistory {
  /** The newest first. */
  readonly past: readonly PastRun[];
  /** Of the database, whose clock the runs' times are. */
  readonly now: Date;
}

/** Runs that ended within this long, and those that are open however old. */
export async function readAutomationHistory(
  sql: Sql,
  withinMs: number,
): Promise<AutomationHistory> {
  const { rows } = await sql.query<PastRun>(
    `SELECT ${COLUMNS} FROM control.run AS run
     WHERE run.automation IS NOT NULL AND NOT run.dry_run
       AND (run.ended_at > now() - $1::float8 * interval '1 ms' OR run.status IN ('queued', 'running'))
     ORDER BY run.requested_at DESC, run.seq DESC`,
    [withinMs],
  );
  const clock = await sql.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  return { past: rows, now: clock.rows[0]!.now };
}

/** The run that this automation made for the cause, or that the cause joined, however long ago. */
export async function findRunOfCause(
  sql: Sql,
  automation: string,
  causeKey: string,
): Promise<string | null> {
  const incidentId = causeKey.startsWith("incident:") ? causeKey.slice("incident:".length) : null;
  const { rows } = await sql.query<{ id: string }>(
    `SELECT run.id FROM control.run AS run WHERE run.automation = $1 AND run.cause_key = $2
     UNION ALL
     SELECT run.id FROM control.run AS run
     WHERE run.automation = $1 AND run.cause_key IS NULL AND run.incident_id = $3
     UNION ALL
     SELECT run.id FROM control.run_follower AS follower JOIN control.run AS run ON run.seq = follower.run_seq
     WHERE (run.automation = $1 OR run.automation IS NULL) AND follower.cause_key = $2
     LIMIT 1`,
    [automation, causeKey, incidentId],
  );
  return rows[0]?.id ?? null;
}
