/**
 * The one use case behind every door: check the request, ask whether the actor may, and either request
 * the run or audit the refusal. Both are one transaction with whatever else the caller does in it.
 */
import type { JsonObject } from "../base/json.js";
import type { Access } from "../policy/policy.js";
import { type Actor, type AuthorizeReason, authorize } from "../runbook/authorize.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { type CheckedRequest, checkRequest } from "../runbook/request.js";
import type { Run } from "../runbook/run.js";
import { appendAudit } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { findOpenTwin, type RunOrigin, requestRun, stallAbandonedRuns } from "./runs.js";

export interface RunSubmission extends RunOrigin {
  readonly registry: RunbookRegistry;
  readonly access: Access;
  readonly actor: Actor;
  /** Name or short form. */
  readonly runbook: string;
  /** JSON values, or the text that a person typed. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
}

export type RefusalReason =
  | Exclude<AuthorizeReason, "allowed">
  | "unknown-runbook"
  | "invalid-parameters";

export type Submitted =
  | { readonly outcome: "queued"; readonly run: Run }
  /** The same is being done at this moment: nothing was added. */
  | { readonly outcome: "already-running"; readonly run: Run }
  | {
      readonly outcome: "refused";
      readonly reason: RefusalReason;
      /** For the asker: what was found, what was expected, what to do. */
      readonly sentence: string;
    };

export async function submitRun(db: Database, submission: RunSubmission): Promise<Submitted> {
  return db.transaction((tx) => submitRunWithin(tx, submission));
}

/** The same inside the caller's transaction. */
export async function submitRunWithin(tx: Sql, submission: RunSubmission): Promise<Submitted> {
  const checked = checkRequest(submission.registry, submission);
  if (!checked.ok) return refuse(tx, submission, checked.code, checked.problems.join("; "));
  const { runbook } = checked.entry;
  const { actor, access } = submission;
  const verdict = authorize({ actor, runbook, access });
  if (verdict.reason !== "allowed") return refuse(tx, submission, verdict.reason, verdict.sentence);
  return queue(tx, submission, checked);
}

async function queue(
  tx: Sql,
  submission: RunSubmission,
  { entry, params }: Extract<CheckedRequest, { ok: true }>,
): Promise<Submitted> {
  const { name } = entry.runbook;
  const { dryRun } = submission;
  // One at a time per call, so that of two equal requests in the same moment the second sees the first.
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('run:' || $1))", [name]);
  await stallAbandonedRuns(tx);
  const twin = await findOpenTwin(tx, { runbook: name, params, dryRun });
  if (twin) return { outcome: "already-running", run: twin };
  const { contentHash } = entry;
  const run = await requestRun(tx, { ...submission, runbook: name, params, contentHash });
  return { outcome: "queued", run };
}

async function refuse(
  tx: Sql,
  submission: RunSubmission,
  reason: RefusalReason,
  sentence: string,
): Promise<Submitted> {
  const { actor } = submission;
  const details: JsonObject = { reason, sentence, role: actor.role, door: actor.door };
  const target = `runbook:${submission.runbook.slice(0, 100)}`;
  await appendAudit(tx, { actor: actor.name, action: "run.refused", target, details });
  return { outcome: "refused", reason, sentence };
}
