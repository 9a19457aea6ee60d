/** How a run ends: by its executor, by a person, or because nobody is left who could end it. */
import type { Run, RunEnding } from "../runbook/run.js";
import { endRequest, refuseRun } from "./approval-requests.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { cancelSentence, NOBODY_HOLDS } from "./run-leases.js";

/** Ends the run, frees its targets and audits it. False when it had ended otherwise: then nothing changed. */
export async function finishRun(tx: Sql, run: Run, ending: RunEnding): Promise<boolean> {
  // A write of a step that was left behind comes before, or not at all.
  await tx.query("SELECT FROM control.run WHERE seq = $1 FOR UPDATE", [run.seq]);
  const { rowCount } = await tx.query(
    `UPDATE control.run SET status = $3, outcome = $4, output = $5, verified = $6, undone = $7,
       lease_until = NULL, ended_at = now()
     WHERE seq = $1 AND fence = $2 AND status = 'running'`,
    [
      run.seq,
      run.fence,
      ending.status,
      ending.outcome,
      ending.output,
      ending.verified ?? null,
      run.undoOf === null ? (ending.undone ?? null) : null,
    ],
  );
  // Not by run alone: an overtaken executor must not free what its successor works on.
  await tx.query(
    `DELETE FROM control.target_lock WHERE run_seq IN
       (SELECT seq FROM control.run WHERE seq = $1 AND status NOT IN ('queued', 'running'))`,
    [run.seq],
  );
  if (rowCount === 0) return false;
  if (run.undoOf !== null && ending.undone)
    await tx.query("UPDATE control.run SET undone = $2 WHERE seq = $1", [
      run.undoOf,
      ending.undone,
    ]);
  await appendAudit(tx, {
    actor: run.actor,
    action: `run.${ending.status}`,
    target: run.id,
    details: {
      runbook: run.runbook,
      outcome: ending.outcome,
      ...(ending.verified === undefined ? {} : { verified: ending.verified }),
      ...(ending.undone === undefined ? {} : { undone: ending.undone }),
    },
  });
  return true;
}

export interface CancelRequest {
  readonly id: string;
  /** The person, or the claim of somebody nobody knows. */
  readonly actor: string;
  readonly reason: string;
}

/**
 * `cancelled`: it had not acted, and has ended. `asked`: its executor ends what it started, takes back what was
 * done, and then ends it. Null: it had ended, or there is no such run.
 */
export type Cancelled = "cancelled" | "asked" | null;

export async function cancelRun(tx: Sql, request: CancelRequest): Promise<Cancelled> {
  const found = await lockOpenRun(tx, request.id);
  if (!found) return null;
  const sentence = cancelSentence(request.actor, request.reason);
  const outcome = found.isWaiting
    ? await cancelWaiting(tx, found, sentence)
    : found.mustBeAsked
      ? await askToCancel(tx, found.seq, request)
      : await cancelNow(tx, found.seq, sentence);
  await appendAudit(tx, {
    actor: request.actor,
    action: outcome === "asked" ? "run.cancel-asked" : "run.cancelled",
    target: request.id,
    details: { reason: request.reason },
  });
  return outcome;
}

interface OpenRun {
  readonly seq: number;
  readonly id: string;
  readonly actor: string;
  readonly isWaiting: boolean;
  /** An executor works on it, or one has acted already. */
  readonly mustBeAsked: boolean;
}

async function lockOpenRun(tx: Sql, id: string): Promise<OpenRun | null> {
  const { rows } = await tx.query<OpenRun>(
    `SELECT run.seq, run.id, run.actor, run.waiting_for IS NOT NULL AS "isWaiting",
       (run.status = 'running' AND NOT ${NOBODY_HOLDS})
       OR (run.fence > 0 AND NOT (run.status = 'running' AND run.lease_until IS NULL)
           AND EXISTS (SELECT FROM control.run_step AS step WHERE step.run_seq = run.seq
                       AND step.phase IN ('act', 'undo'))) AS "mustBeAsked"
     FROM control.run AS run WHERE run.id = $1 AND run.status IN ('queued', 'running') FOR UPDATE OF run`,
    [id],
  );
  return rows[0] ?? null;
}

async function cancelWaiting(tx: Sql, run: OpenRun, sentence: string): Promise<"cancelled"> {
  await endRequest(tx, run.seq, "cancelled");
  await refuseRun(tx, run, sentence);
  return "cancelled";
}

async function askToCancel(tx: Sql, seq: number, request: CancelRequest): Promise<"asked"> {
  await tx.query(
    `UPDATE control.run SET cancel_by = $2, cancel_reason = $3 WHERE seq = $1 AND cancel_by IS NULL`,
    [seq, request.actor, request.reason],
  );
  return "asked";
}

async function cancelNow(tx: Sql, seq: number, sentence: string): Promise<"cancelled"> {
  await tx.query(
    `UPDATE control.run SET status = 'cancelled', outcome = $2, lease_until = NULL, ended_at = now() WHERE seq = $1`,
    [seq, sentence],
  );
  await tx.query("DELETE FROM control.target_lock WHERE run_seq = $1", [seq]);
  return "cancelled";
}

/**
 * Runs whose job ended without them (given up after its last attempt, or ended by hand) have no executor
 * any more: they are stalled, and a person must look. Returns their ids.
 */
export async function stallAbandonedRuns(tx: Sql): Promise<string[]> {
  const { rows } = await tx.query<{ id: string; actor: string; runbook: string }>(
    `UPDATE control.run SET status = 'stalled', outcome = 'its job ended before it did: look before you repeat it',
       lease_until = NULL, ended_at = now()
     WHERE status IN ('queued', 'running') AND job_seq IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM public.jobs WHERE jobs.seq = run.job_seq AND jobs.status IN ('pending', 'running'))
     RETURNING id, actor, runbook`,
  );
  for (const { id, actor, runbook } of rows)
    await appendAudit(tx, { actor, action: "run.stalled", target: id, details: { runbook } });
  return rows.map(({ id }) => id);
}
