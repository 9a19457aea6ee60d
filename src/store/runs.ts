/** Runs as callers see them: ask for one, look at one. Who holds it is in run-leases, how it ends in run-endings. */
import type { JsonObject } from "../base/json.js";
import type { Actor } from "../runbook/authorize.js";
import { type ChatPlace, pinOf, type Run, type RunStatus } from "../runbook/run.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { enqueueJob } from "./jobs.js";
import { RUN_COLUMNS } from "./run-columns.js";

/** Why a run was asked for, and where its message is to be. */
export interface RunOrigin {
  readonly reason?: string | undefined;
  readonly automation?: string | undefined;
  readonly incidentId?: string | undefined;
  readonly alertLevel?: string | undefined;
  readonly inboundId?: number | undefined;
  readonly chat?: ChatPlace | undefined;
  readonly causeKey?: string | undefined;
  readonly causeDepth?: number | undefined;
  readonly isDrill?: boolean | undefined;
  /** Of the repository of the runbooks; null: not known. */
  readonly commit?: string | null | undefined;
}

export interface NewRun extends RunOrigin {
  readonly runbook: string;
  readonly params: JsonObject;
  readonly actor: Actor;
  /** SHA-256 of the runbook's file, in hex. */
  readonly contentHash: string;
  readonly dryRun: boolean;
  /** What it will lock, sorted. */
  readonly targets?: readonly string[] | undefined;
  /** The run that it takes back. */
  readonly undoOf?: number | undefined;
}

/** The run, the job that executes it, and the audit row: together, in the caller's transaction. */
export async function requestRun(tx: Sql, request: NewRun): Promise<Run> {
  const run = await insertRun(tx, request);
  const job = await enqueueJob(tx, {
    kind: "runbook",
    payload: { run_id: run.id },
    uniqueKey: `runbook:${run.id}`,
    requestedBy: run.actor,
  });
  await tx.query("UPDATE control.run SET job_seq = $2 WHERE seq = $1", [run.seq, job.seq]);
  await appendAudit(tx, {
    actor: run.actor,
    action: "run.requested",
    target: run.id,
    details: {
      runbook: run.runbook,
      params: run.params,
      role: run.role,
      door: run.door,
      person: run.person,
      content_hash: run.contentHash,
      commit: run.commit,
      dry_run: run.dryRun,
      automation: run.automation,
      incident_id: run.incidentId,
      undo_of: run.undoOf === null ? null : `run-${run.undoOf}`,
    },
  });
  return { ...run, jobSeq: job.seq };
}

async function insertRun(tx: Sql, request: NewRun): Promise<Run> {
  const { actor } = request;
  const { rows } = await tx.query<Run>(
    `INSERT INTO control.run AS run (runbook, params, actor, role, door, person, reason, dry_run, content_hash,
       commit_id, targets, automation, incident_id, alert_level, inbound_id, chat, cause_key, cause_depth, is_drill, undo_of)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
     RETURNING ${RUN_COLUMNS}`,
    [
      request.runbook,
      request.params,
      actor.name,
      actor.role,
      actor.door,
      actor.person ?? null,
      request.reason ?? null,
      request.dryRun,
      pinOf(request.contentHash),
      request.commit ?? null,
      request.targets ?? [],
      request.automation ?? null,
      request.incidentId ?? null,
      request.alertLevel ?? null,
      request.inboundId ?? null,
      request.chat ?? null,
      request.causeKey ?? null,
      request.causeDepth ?? 0,
      request.isDrill ?? false,
      request.undoOf ?? null,
    ],
  );
  return rows[0]!;
}

export async function readRun(sql: Sql, id: string): Promise<Run | null> {
  const { rows } = await sql.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run WHERE run.id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

export interface RunFilter {
  readonly status?: RunStatus | undefined;
  readonly runbook?: string | undefined;
  /** Only runs that were asked for before this one. */
  readonly before?: number | undefined;
}

/** Newest first. */
export async function listRuns(sql: Sql, limit: number, filter: RunFilter = {}): Promise<Run[]> {
  const { rows } = await sql.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run
     WHERE ($2::text IS NULL OR run.status = $2) AND ($3::text IS NULL OR run.runbook = $3)
       AND ($4::bigint IS NULL OR run.seq < $4)
     ORDER BY run.requested_at DESC, run.seq DESC LIMIT $1`,
    [limit, filter.status ?? null, filter.runbook ?? null, filter.before ?? null],
  );
  return rows;
}

export interface TwinRequest {
  readonly runbook: string;
  readonly params: JsonObject;
  readonly dryRun: boolean;
  /** Whose run is a twin also for `windowMs` after its end: a person who is impatient asks again. */
  readonly actor?: string | undefined;
  readonly windowMs?: number | undefined;
}

/** The run that does the same at this moment, if any: who asks twice wants one. */
export async function findOpenTwin(sql: Sql, request: TwinRequest): Promise<Run | null> {
  const { rows } = await sql.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run
     WHERE run.runbook = $1 AND run.params = $2 AND run.dry_run = $3 AND run.undo_of IS NULL
       AND (run.status IN ('queued', 'running')
         OR (run.actor = $4 AND run.ended_at > now() - $5::float8 * interval '1 ms'))
     ORDER BY run.ended_at IS NULL DESC, run.seq DESC LIMIT 1`,
    [
      request.runbook,
      request.params,
      request.dryRun,
      request.actor ?? null,
      request.windowMs ?? null,
    ],
  );
  return rows[0] ?? null;
}

export interface AutomationHistory {
  readonly forSameCause: string | null;
  readonly openRun: string | null;
  readonly lastRequestedAt: Date | null;
  readonly requestedLastHour: number;
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

/** Remembers where the living message is, so that a resumed run edits it instead of posting another. */
export async function keepChat(sql: Sql, runSeq: number, chat: ChatPlace): Promise<void> {
  await sql.query("UPDATE control.run SET chat = $2 WHERE seq = $1", [runSeq, chat]);
}
