/**
 * The one use case behind every door: check the request, ask whether the actor may, and either request
 * the run or audit the refusal. Both are one transaction with whatever else the caller does in it.
 */
import { canonicalJson, type JsonObject } from "../base/json.js";
import type { Access } from "../policy/policy.js";
import {
  type Actor,
  type ApprovalRule,
  type AuthorizeReason,
  authorize,
} from "../runbook/authorize.js";
import type { Runbook } from "../runbook/define.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { type CheckedRequest, checkRequest } from "../runbook/request.js";
import type { Run } from "../runbook/run.js";
import type { Stopped } from "../runbook/stop.js";
import { appendAudit } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { RUN_COLUMNS } from "./run-columns.js";
import { stallAbandonedRuns } from "./run-endings.js";
import { findOpenTwin, type RunOrigin, requestRun } from "./runs.js";
import { readStopped } from "./stop-switch.js";

export interface RunSubmission extends RunOrigin {
  readonly registry: RunbookRegistry;
  readonly access: Access;
  readonly actor: Actor;
  /** Name or short form. */
  readonly runbook: string;
  /** JSON values, or the text that a person typed. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  /** How many must agree whatever the rule says: what automation has not earned yet. */
  readonly approvalsMin?: number | undefined;
  /** The asker's own name of this request, with the asker in it: asked again under it, it is the same run. */
  readonly idempotencyKey?: string | undefined;
}

export type RefusalReason =
  | Exclude<AuthorizeReason, "allowed" | "second-person-needed">
  | "unknown-runbook"
  | "invalid-parameters"
  | "key-reused";

export type Submitted =
  /** With `approval` it makes its plan, and waits then until so many people agree. */
  | { readonly outcome: "queued"; readonly run: Run; readonly approval: ApprovalRule | null }
  /** The same is being done at this moment, or was asked under the same key: nothing was added. */
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
export async function submitRunWithin(tx: Sql, asked: RunSubmission): Promise<Submitted> {
  const checked = checkRequest(asked.registry, asked);
  if (!checked.ok) return refuse(tx, asked, checked.code, checked.problems.join("; "));
  const { runbook } = checked.entry;
  // Whoever types `--drill` alone practises: it must not be the real thing.
  const dryRun = asked.dryRun || (asked.isDrill === true && runbook.danger !== "R");
  const submission = { ...asked, dryRun };
  const stopped = await readStopFor(tx, submission, runbook);
  const verdict = authorize({ ...submission, runbook, stopped });
  // Whether people agree is asked when there is a plan to agree to.
  if (verdict.reason === "allowed" || verdict.reason === "second-person-needed")
    return queue(tx, submission, checked, verdict.approval ?? null);
  return refuse(tx, submission, verdict.reason, verdict.sentence);
}

/** What stops nobody is not looked up: a switch that cannot be read must not keep people from looking. */
async function readStopFor(
  tx: Sql,
  { dryRun }: RunSubmission,
  { danger }: Runbook,
): Promise<Stopped | null> {
  return dryRun || danger === "R" ? null : readStopped(tx);
}

async function queue(
  tx: Sql,
  submission: RunSubmission,
  { entry, params }: Extract<CheckedRequest, { ok: true }>,
  approval: ApprovalRule | null,
): Promise<Submitted> {
  const { runbook, contentHash } = entry;
  const { name } = runbook;
  // One at a time per call, so that of two equal requests in the same moment the second sees the first.
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('run:' || $1))", [name]);
  await stallAbandonedRuns(tx);
  const asked: Asked = { ...submission, runbook: name, params };
  const earlier = await findByKey(tx, asked);
  if (earlier && !isSame(earlier, asked))
    return refuse(tx, submission, "key-reused", reused(earlier));
  const twin = earlier ?? (await findTwin(tx, asked, runbook));
  if (twin) return { outcome: "already-running", run: twin };
  const targets = runbook.locks(params);
  const causeKey = submission.idempotencyKey ?? submission.causeKey;
  const run = await requestRun(tx, { ...asked, contentHash, targets, causeKey });
  return { outcome: "queued", run, approval };
}

type Asked = RunSubmission & { readonly params: JsonObject };

async function findByKey(tx: Sql, { idempotencyKey }: Asked): Promise<Run | null> {
  if (idempotencyKey === undefined) return null;
  // Two requests for different runbooks under one key wait for each other here.
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('run-key:' || $1))", [idempotencyKey]);
  const { rows } = await tx.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run WHERE run.cause_key = $1
     ORDER BY run.requested_at DESC LIMIT 1`,
    [idempotencyKey],
  );
  return rows[0] ?? null;
}

function isSame(run: Run, asked: Asked): boolean {
  return (
    run.runbook === asked.runbook &&
    run.dryRun === asked.dryRun &&
    canonicalJson(run.params) === canonicalJson(asked.params)
  );
}

function reused({ id, runbook }: Run): string {
  return `this key was used for ${id} (${runbook}), which is another request: take a new key`;
}

/** Whoever sees no answer at once types it again: after a success that is no wish for a second one. */
const IMPATIENT_MS = 60_000;

async function findTwin(
  tx: Sql,
  { runbook, params, dryRun, actor }: Asked,
  { danger }: Runbook,
): Promise<Run | null> {
  const mayRepeat = actor.door !== "slack" || danger === "R" || dryRun;
  const impatience = mayRepeat ? {} : { actor: actor.name, windowMs: IMPATIENT_MS };
  const twin = await findOpenTwin(tx, { runbook, params, dryRun, ...impatience });
  // What failed may be tried again at once.
  return twin === null || twin.endedAt === null || twin.status === "succeeded" ? twin : null;
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
