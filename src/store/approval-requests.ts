/**
 * What people are asked before a run acts: the request as a row, and how it ends. The policy's words at that moment
 * are kept and not looked up again; of two that end it in the same moment, one does.
 */
import { randomBytes } from "node:crypto";
import type { JsonObject } from "../base/json.js";
import type { ApprovalRequest, Vote } from "../runbook/approval.js";
import type { ApprovalRule } from "../runbook/authorize.js";
import type { Run } from "../runbook/run.js";
import { ask } from "./ask-together.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { enqueueJob } from "./jobs.js";

export interface AskedApproval {
  /** In the button: it finds the request, and is no authority. */
  readonly nonce: string;
  readonly expiresAt: Date;
}

/**
 * Asks people, in the transaction that parks the run. When they were asked before, their votes for the earlier
 * plan count no more, also for a plan that comes back to what it was: a new nonce says so.
 */
export async function openApproval(
  tx: Sql,
  run: Pick<Run, "seq" | "id" | "actor" | "person">,
  asked: {
    readonly rule: ApprovalRule;
    readonly boundHash: string;
  },
): Promise<AskedApproval> {
  const { rule, boundHash } = asked;
  const { needed, role, team, authors, authorUnknown } = rule;
  const nonce = randomBytes(16).toString("base64url");
  const { rows } = await tx.query<{ expiresAt: Date; earlierHash: string | null }>(
    `WITH earlier AS (SELECT bound_hash FROM control.approval_request WHERE run_seq = $1)
     INSERT INTO control.approval_request (run_seq, bound_hash, nonce, needed, approvers, requester, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7 * interval '1 ms')
     ON CONFLICT (run_seq) DO UPDATE SET bound_hash = excluded.bound_hash, nonce = excluded.nonce,
       needed = excluded.needed, approvers = excluded.approvers, asked_at = now(), expires_at = excluded.expires_at,
       outcome = NULL, ended_at = NULL
     RETURNING expires_at AS "expiresAt", (SELECT bound_hash FROM earlier) AS "earlierHash"`,
    [
      ...[run.seq, boundHash, nonce, needed],
      // The version before reads role and team of it, and no more.
      { role, team, authors, authorUnknown },
      ...[run.person ?? run.actor, rule.withinMs],
    ],
  );
  const { expiresAt, earlierHash } = rows[0]!;
  const facts: JsonObject = {
    ...{ bound_hash: boundHash, needed, role, team, expires_at: expiresAt.toISOString() },
    ...(authors && { authors: [...authors], author_unknown: authorUnknown ?? null }),
  };
  if (earlierHash !== null)
    await appendAudit(tx, {
      actor: run.actor,
      action: "approval.voided",
      target: run.id,
      details: { bound_hash: earlierHash },
    });
  await appendAudit(tx, {
    actor: run.actor,
    action: "approval.asked",
    target: run.id,
    details: facts,
  });
  return { nonce, expiresAt };
}

/** What stands in the row, with the run's own state: a run that no longer waits is over, whatever the request says. */
export interface KeptApproval extends ApprovalRequest {
  readonly nonce: string;
  /** Why somebody else may have written the runbook too; null: all who did are known, or nobody asks. */
  readonly authorUnknown: string | null;
  readonly votes: readonly Vote[];
  /** Of the database, which alone says what is late. */
  readonly now: Date;
}

const SELECT_APPROVAL = `
  SELECT run.id AS "runId", run.runbook, ask.bound_hash AS "boundHash", ask.nonce, ask.needed,
    ask.approvers ->> 'role' AS role, ask.approvers ->> 'team' AS team,
    ask.requester, coalesce(ask.approvers -> 'authors', '[]') AS authors,
    ask.approvers ->> 'authorUnknown' AS "authorUnknown", ask.expires_at AS "expiresAt",
    coalesce(ask.outcome, CASE WHEN run.status <> 'queued' OR run.waiting_for IS NULL THEN run.status END) AS outcome,
    coalesce((SELECT json_agg(json_build_object('person', vote.person, 'decision', vote.decision) ORDER BY vote.at)
      FROM control.approval vote WHERE vote.run_seq = ask.run_seq AND vote.nonce = ask.nonce), '[]') AS votes,
    clock_timestamp() AS now
  FROM control.approval_request ask JOIN control.run run ON run.seq = ask.run_seq WHERE ask.run_seq = $1`;

/** Null: nobody was ever asked. */
export async function readApproval(sql: Sql, runSeq: number): Promise<KeptApproval | null> {
  const { rows } = await sql.query<KeptApproval>(SELECT_APPROVAL, [runSeq]);
  return rows[0] ?? null;
}

/** A run whose row the transaction holds. */
export interface LockedRun {
  readonly seq: number;
  readonly id: string;
  readonly actor: string;
}

/** False when it had ended: of two that end it in the same moment, one does. */
export async function endRequest(
  tx: Sql,
  runSeq: number,
  outcome: "approved" | "denied" | "expired" | "cancelled",
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE control.approval_request SET outcome = $2, ended_at = now() WHERE run_seq = $1 AND outcome IS NULL`,
    [runSeq, outcome],
  );
  return rowCount === 1;
}

/** The run goes on where it waited, with a job of its own: the one that parked it has ended, or is about to. */
export async function releaseRun(tx: Sql, run: LockedRun): Promise<void> {
  const { rowCount } = await tx.query(
    `UPDATE control.run SET waiting_for = NULL
     WHERE seq = $1 AND status = 'queued' AND waiting_for = 'approval'`,
    [run.seq],
  );
  if (rowCount === 1) await giveJob(tx, run);
}

/** A run that people did not let go on: it never acted, and a last job tells them. */
export async function refuseRun(tx: Sql, run: LockedRun, outcome: string): Promise<void> {
  const { rowCount } = await tx.query(
    `UPDATE control.run SET status = 'cancelled', waiting_for = NULL, outcome = $2, ended_at = now()
     WHERE seq = $1 AND status = 'queued' AND waiting_for = 'approval'`,
    [run.seq, outcome],
  );
  if (rowCount === 1) await giveJob(tx, run);
}

async function giveJob(tx: Sql, run: LockedRun): Promise<void> {
  // Without a unique key: the job that parked the run may still be closing its books under it.
  const job = await enqueueJob(tx, {
    kind: "runbook",
    payload: { run_id: run.id },
    requestedBy: run.actor,
  });
  await tx.query("UPDATE control.run SET job_seq = $2 WHERE seq = $1", [run.seq, job.seq]);
}

const IS_LATE = "ask.outcome IS NULL AND ask.expires_at <= clock_timestamp()";

/** Whether there are requests whose time has come. */
export function hasLateApprovals(sql: Sql): Promise<boolean> {
  const name = "approval.late";
  return ask<boolean>(sql, {
    name,
    sql: `EXISTS (SELECT FROM control.approval_request ask WHERE ${IS_LATE})`,
  });
}

const EXPIRE_BATCH = 100;

/** Nobody's answer is a no. Any number of processes may ask at once. Ids of the runs that ended. */
export async function expireApprovals(tx: Sql): Promise<string[]> {
  // The run's row first, as everybody does who ends a request: so nobody waits in a circle.
  const { rows } = await tx.query<LockedRun & { needed: number; isWaiting: boolean }>(
    `SELECT run.seq, run.id, run.actor, ask.needed,
       run.status = 'queued' AND run.waiting_for IS NOT NULL AS "isWaiting"
     FROM control.approval_request ask JOIN control.run run ON run.seq = ask.run_seq
     WHERE ${IS_LATE}
     ORDER BY run.seq LIMIT ${EXPIRE_BATCH} FOR UPDATE OF run SKIP LOCKED`,
  );
  const ended: string[] = [];
  for (const run of rows) {
    if (!(await endRequest(tx, run.seq, run.isWaiting ? "expired" : "cancelled"))) continue;
    if (!run.isWaiting) continue;
    const people = run.needed === 1 ? "nobody agreed" : `fewer than ${run.needed} people agreed`;
    await refuseRun(tx, run, `${people} in time: nothing was done`);
    await appendAudit(tx, { actor: "orchestrator", action: "approval.expired", target: run.id });
    ended.push(run.id);
  }
  return ended;
}
