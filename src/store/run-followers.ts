/** Causes that joined a run instead of starting one: they inherit its outcome, and are told it. */
import type { FinalRunStatus } from "../runbook/run.js";
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";

export interface NewFollower {
  readonly causeKey: string;
  readonly incidentId: string | null;
  readonly inboundId: number | null;
}

/** Once a cause, however often it comes. Call it in a transaction that has seen the run. */
export async function followRun(sql: Sql, runId: string, follower: NewFollower): Promise<void> {
  await sql.query(
    `INSERT INTO control.run_follower (run_seq, cause_key, incident_id, inbound_id)
     SELECT seq, $2, $3, $4 FROM control.run WHERE id = $1 ON CONFLICT DO NOTHING`,
    [runId, follower.causeKey, follower.incidentId, follower.inboundId],
  );
}

/** A follower whose run has ended and who was not told. */
export interface UntoldFollower {
  readonly runSeq: number;
  readonly runId: string;
  readonly runbook: string;
  readonly automation: string;
  readonly status: FinalRunStatus;
  readonly outcome: string | null;
  readonly endedAt: Date;
  readonly causeKey: string;
  readonly incidentId: string | null;
}

const UNTOLD = `FROM control.run_follower AS follower JOIN control.run AS run ON run.seq = follower.run_seq
  WHERE follower.told_at IS NULL AND run.status NOT IN ('queued', 'running')`;

/** Whether there are any. */
export function hasUntoldFollowers(sql: Sql): Promise<boolean> {
  return ask<boolean>(sql, { name: "run.untold", sql: `EXISTS (SELECT ${UNTOLD})` });
}

/** The oldest first. */
export async function listUntoldFollowers(sql: Sql, limit: number): Promise<UntoldFollower[]> {
  const { rows } = await sql.query<UntoldFollower>(
    `SELECT run.seq AS "runSeq", run.id AS "runId", run.runbook, run.automation, run.status, run.outcome,
       run.ended_at AS "endedAt", follower.cause_key AS "causeKey", follower.incident_id AS "incidentId"
     ${UNTOLD}
     ORDER BY follower.joined_at LIMIT $1`,
    [limit],
  );
  return rows;
}

/** False when another has done so meanwhile. */
export async function markFollowerTold(
  sql: Sql,
  { runSeq, causeKey }: Pick<UntoldFollower, "runSeq" | "causeKey">,
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE control.run_follower SET told_at = now()
     WHERE run_seq = $1 AND cause_key = $2 AND told_at IS NULL`,
    [runSeq, causeKey],
  );
  return rowCount > 0;
}
