/**
 * Runs from request to end. A run is taken with a fence that only grows; every later write names it, so an
 * executor that was overtaken changes nothing and is told so.
 */
import type { JsonObject } from "../base/json.js";
import type { Actor } from "../runbook/authorize.js";
import type { AutomationHistory } from "../runbook/guard.js";
import type { ChatPlace, Run, RunEnding } from "../runbook/run.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { enqueueJob } from "./jobs.js";

const RUN_COLUMNS = `run.seq, run.id, run.runbook, run.params, run.actor, run.role, run.door, run.reason,
  run.dry_run AS "dryRun", run.content_hash AS "contentHash", run.status, run.plan, run.outcome, run.output,
  run.automation, run.incident_id AS "incidentId", run.alert_level AS "alertLevel", run.chat, run.fence,
  run.requested_at AS "requestedAt", run.started_at AS "startedAt", run.ended_at AS "endedAt",
  run.commit_id AS "commit", run.targets, run.person, run.waiting_for AS "waitingFor", run.bound_hash AS "boundHash",
  run.undo_of AS "undoOf", run.undone, run.verified, run.cause_key AS "causeKey", run.cause_depth AS "causeDepth",
  run.is_drill AS "isDrill", run.deadline_at AS "deadlineAt", run.lease_until AS "leaseUntil", run.job_seq AS "jobSeq"`;

/** Why a run was asked for, and where its message is to be. */
export interface RunOrigin {
  readonly reason?: string | undefined;
  readonly automation?: string | undefined;
  readonly incidentId?: string | undefined;
  readonly alertLevel?: string | undefined;
  readonly inboundId?: number | undefined;
  readonly chat?: ChatPlace | undefined;
}

export interface NewRun extends RunOrigin {
  readonly runbook: string;
  readonly params: JsonObject;
  readonly actor: Actor;
  readonly contentHash: string;
  readonly dryRun: boolean;
}

/** The run, the job that executes it, and the audit row: together, in the caller's transaction. */
export async function requestRun(tx: Sql, request: NewRun): Promise<Run> {
  const { actor } = request;
  const { rows } = await tx.query<Run>(
    `INSERT INTO control.run AS run (runbook, params, actor, role, door, reason, dry_run, content_hash,
       automation, incident_id, alert_level, inbound_id, chat)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING ${RUN_COLUMNS}`,
    [
      request.runbook,
      request.params,
      actor.name,
      actor.role,
      actor.door,
      request.reason ?? null,
      request.dryRun,
      request.contentHash,
      request.automation ?? null,
      request.incidentId ?? null,
      request.alertLevel ?? null,
      request.inboundId ?? null,
      request.chat ?? null,
    ],
  );
  const run = rows[0]!;
  const job = await enqueueJob(tx, {
    kind: "runbook",
    payload: { run_id: run.id },
    uniqueKey: `runbook:${run.id}`,
    requestedBy: actor.name,
  });
  await tx.query("UPDATE control.run SET job_seq = $2 WHERE seq = $1", [run.seq, job.seq]);
  await appendAudit(tx, {
    actor: actor.name,
    action: "run.requested",
    target: run.id,
    details: {
      runbook: run.runbook,
      params: run.params,
      role: actor.role,
      door: actor.door,
      content_hash: run.contentHash,
      dry_run: run.dryRun,
      automation: run.automation,
      incident_id: run.incidentId,
    },
  });
  return run;
}

export async function readRun(sql: Sql, id: string): Promise<Run | null> {
  const { rows } = await sql.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run WHERE run.id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

/** Newest first. */
export async function listRuns(sql: Sql, limit: number): Promise<Run[]> {
  const { rows } = await sql.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run ORDER BY run.requested_at DESC, run.seq DESC LIMIT $1`,
    [limit],
  );
  return rows;
}

/** The run that does the same at this moment, if any: a person who asks twice wants one. */
export async function findOpenTwin(
  sql: Sql,
  request: { readonly runbook: string; readonly params: JsonObject; readonly dryRun: boolean },
): Promise<Run | null> {
  const { rows } = await sql.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run
     WHERE run.status IN ('queued', 'running') AND run.runbook = $1 AND run.params = $2 AND run.dry_run = $3
     ORDER BY run.seq LIMIT 1`,
    [request.runbook, request.params, request.dryRun],
  );
  return rows[0] ?? null;
}

/**
 * What an automation did lately. Holds a lock until the transaction ends, so that of two causes in the
 * same moment the second sees the run of the first.
 */
export async function readAutomationHistory(
  tx: Sql,
  automation: string,
  cause: string | null,
): Promise<AutomationHistory> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('automation:' || $1))", [automation]);
  const { rows } = await tx.query<AutomationHistory>(
    `SELECT (array_agg(id ORDER BY seq) FILTER (WHERE $2::text IS NOT NULL AND incident_id = $2))[1] AS "forSameCause",
            (array_agg(id ORDER BY seq) FILTER (WHERE status IN ('queued', 'running')))[1] AS "openRun",
            max(requested_at) AS "lastRequestedAt",
            count(*) FILTER (WHERE requested_at > now() - interval '1 hour')::int AS "requestedLastHour"
     FROM control.run WHERE automation = $1`,
    [automation, cause],
  );
  return rows[0]!;
}

/** Takes the run for this executor; null when it has ended or never was. */
export async function startRun(sql: Sql, id: string): Promise<Run | null> {
  const { rows } = await sql.query<Run>(
    `UPDATE control.run SET status = 'running', fence = run.fence + 1, started_at = coalesce(run.started_at, now())
     WHERE run.id = $1 AND run.status IN ('queued', 'running') RETURNING ${RUN_COLUMNS}`,
    [id],
  );
  return rows[0] ?? null;
}

/** Ends the run, frees its targets and audits it. False when it had ended otherwise: then nothing changed. */
export async function finishRun(tx: Sql, run: Run, ending: RunEnding): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE control.run SET status = $3, outcome = $4, output = $5, ended_at = now()
     WHERE seq = $1 AND fence = $2 AND status = 'running'`,
    [run.seq, run.fence, ending.status, ending.outcome, ending.output],
  );
  // Not by run alone: an overtaken executor must not free what its successor works on.
  await tx.query(
    `DELETE FROM control.target_lock WHERE run_seq IN
       (SELECT seq FROM control.run WHERE seq = $1 AND status NOT IN ('queued', 'running'))`,
    [run.seq],
  );
  if (rowCount === 0) return false;
  await appendAudit(tx, {
    actor: run.actor,
    action: `run.${ending.status}`,
    target: run.id,
    details: { runbook: run.runbook, outcome: ending.outcome },
  });
  return true;
}

/** Stops a run that has not ended. Its executor notices within seconds and ends what it started. */
export async function cancelRun(
  tx: Sql,
  request: { readonly id: string; readonly actor: string; readonly reason: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE control.run SET status = 'cancelled', outcome = $2, ended_at = now()
     WHERE id = $1 AND status IN ('queued', 'running')`,
    [request.id, `cancelled by ${request.actor}: ${request.reason}`],
  );
  if (rowCount === 0) return false;
  await appendAudit(tx, {
    actor: request.actor,
    action: "run.cancelled",
    target: request.id,
    details: { reason: request.reason },
  });
  return true;
}

/**
 * Runs whose job ended without them (given up after its last attempt, or ended by hand) have no executor
 * any more: they are stalled, and a person must look. Returns their ids.
 */
export async function stallAbandonedRuns(tx: Sql): Promise<string[]> {
  const { rows } = await tx.query<{ id: string; actor: string; runbook: string }>(
    `UPDATE control.run SET status = 'stalled', outcome = 'its job ended before it did: look before you repeat it',
       ended_at = now()
     WHERE status IN ('queued', 'running') AND job_seq IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM public.jobs WHERE jobs.seq = run.job_seq AND jobs.status IN ('pending', 'running'))
     RETURNING id, actor, runbook`,
  );
  for (const { id, actor, runbook } of rows)
    await appendAudit(tx, { actor, action: "run.stalled", target: id, details: { runbook } });
  return rows.map(({ id }) => id);
}

/** Remembers where the living message is, so that a resumed run edits it instead of posting another. */
export async function keepChat(sql: Sql, runSeq: number, chat: ChatPlace): Promise<void> {
  await sql.query("UPDATE control.run SET chat = $2 WHERE seq = $1", [runSeq, chat]);
}
