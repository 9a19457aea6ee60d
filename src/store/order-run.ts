/** What people order about a run that there is: end it, or take back what it did. One path for every door, audited either way. */
import type { JsonObject } from "../base/json.js";
import type { Access } from "../policy/policy.js";
import {
  type Actor,
  type ApprovalRule,
  type Authorization,
  authorize,
  mayCancel,
} from "../runbook/authorize.js";
import type { Runbook } from "../runbook/define.js";
import type { RegisteredRunbook, RunbookRegistry } from "../runbook/registry.js";
import { digestOf, isFinal, type Run } from "../runbook/run.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { cancelRun } from "./run-endings.js";
import { readSteps } from "./run-steps.js";
import { tellRun } from "./run-telling.js";
import { undoRun } from "./run-undo.js";
import { readRun } from "./runs.js";
import { readStopped } from "./stop-switch.js";

export interface RunOrder {
  /** `run-17`. */
  readonly id: string;
  readonly actor: Actor;
  readonly reason: string;
  readonly registry: RunbookRegistry;
  readonly access: Access;
}

export interface OrderRefused {
  readonly outcome: "refused";
  readonly reason: "unknown-run" | "not-allowed" | "not-possible";
  /** For the asker: what was found, what was expected, what to do. */
  readonly sentence: string;
}

export type CancelAnswer =
  | OrderRefused
  /** `asked`: its executor ends what it started, takes back what it did, and then ends the run. */
  | { readonly outcome: "cancelled" | "asked"; readonly run: Run; readonly sentence: string };

/** Call it in a transaction. */
export async function cancelRunAs(tx: Sql, order: RunOrder): Promise<CancelAnswer> {
  const run = await readRun(tx, order.id);
  if (!run) return refuse(tx, order, "cancel", unknown(order));
  const runbook = order.registry.find(run.runbook)?.runbook ?? null;
  const right = mayCancel({ ...order, run, danger: runbook?.danger ?? null });
  if (right.decision !== "allow")
    return refuse(tx, order, "cancel", { reason: "not-allowed", sentence: right.sentence });
  const outcome = await cancelRun(tx, { ...order, actor: order.actor.name });
  if (outcome === null) return refuse(tx, order, "cancel", ended(run));
  const after = await readRun(tx, order.id);
  if (after && isFinal(after.status)) await tellRun(tx, after, { runbook });
  const sentence =
    outcome === "cancelled"
      ? `${run.id} is cancelled: nothing of it runs any more`
      : `${run.id} is being cancelled: what it started is ended, what can be taken back is taken back`;
  return { outcome, run: after ?? run, sentence };
}

export type UndoAnswer =
  | OrderRefused
  /** A run of its own, with the right, the approvals and the record of any other. */
  | { readonly outcome: "queued"; readonly run: Run; readonly approval: ApprovalRule | null };

/** Call it in a transaction. */
export async function undoRunAs(
  tx: Sql,
  order: RunOrder & { readonly chat?: Run["chat"] },
): Promise<UndoAnswer> {
  const run = await readRun(tx, order.id);
  if (!run) return refuse(tx, order, "undo", unknown(order));
  const entry = order.registry.find(run.runbook);
  const right = await judgeUndo(tx, order, run, entry?.runbook ?? null);
  if (right.decision === "deny")
    return refuse(tx, order, "undo", { reason: "not-allowed", sentence: right.sentence });
  const obstacle = entry ? await findObstacle(tx, run, entry) : gone(run);
  if (obstacle !== null)
    return refuse(tx, order, "undo", { reason: "not-possible", sentence: obstacle });
  const undo = await undoRun(tx, run, {
    ...{ actor: order.actor, reason: order.reason, chat: order.chat ?? undefined },
    incidentId: run.incidentId ?? undefined,
  });
  // It has audited this itself.
  if (undo.outcome === "refused") return { ...undo, reason: "not-possible" };
  if (undo.outcome === "already-running")
    return refuse(tx, order, "undo", { reason: "not-possible", sentence: atWork(run, undo.run) });
  return { outcome: "queued", run: undo.run, approval: right.approval ?? null };
}

function atWork(run: Run, undo: Run): string {
  return `${run.id} is being undone by ${undo.id}, which is ${undo.status}`;
}

async function judgeUndo(
  tx: Sql,
  { actor, access }: RunOrder,
  run: Run,
  runbook: Runbook | null,
): Promise<Authorization> {
  const about = { name: run.runbook, danger: runbook?.danger ?? "D" } as const;
  return authorize({ actor, access, runbook: about, stopped: await readStopped(tx) });
}

/** What the runbook's own file says against it; null: nothing. What the run's record says, `undoRun` asks. */
async function findObstacle(
  tx: Sql,
  run: Run,
  { runbook, contentHash }: RegisteredRunbook,
): Promise<string | null> {
  if (run.dryRun) return `${run.id} was a dry run: it did nothing`;
  if (digestOf(run.contentHash) !== contentHash)
    return `${run.runbook} has changed since ${run.id}: its way back may not fit what was done; look, and undo by hand`;
  const done = (await readSteps(tx, run.seq)).filter(
    ({ phase, status }) => phase === "act" && status === "succeeded",
  );
  const isBack = runbook.steps.some(
    (step) => canUndo(step) && done.some((it) => it.name === step.name),
  );
  if (done.length === 0 || isBack) return null;
  return `${run.runbook} has no way back: ${whyNever(runbook)}`;
}

function canUndo({ undo }: Runbook["steps"][number]): boolean {
  return undo !== undefined && !("never" in undo);
}

function whyNever({ steps }: Runbook): string {
  const never = steps.flatMap(({ undo }) => (undo && "never" in undo ? [undo.never] : []));
  return never.length === 0 ? "none of its steps says how" : never.join("; ");
}

type Refusal = Pick<OrderRefused, "reason" | "sentence">;

function unknown({ id }: RunOrder): Refusal {
  const shown = JSON.stringify(id.slice(0, 40));
  return { reason: "unknown-run", sentence: `there is no run ${shown}; ids read run-123` };
}

function ended(run: Run): Refusal {
  return { reason: "not-possible", sentence: `${run.id} has ${run.status} already` };
}

function gone(run: Run): string {
  return `there is no runbook ${run.runbook} any more: undo ${run.id} by hand`;
}

async function refuse(
  tx: Sql,
  { id, actor }: RunOrder,
  order: "cancel" | "undo",
  refusal: Refusal,
): Promise<OrderRefused> {
  const details: JsonObject = { order, ...refusal, role: actor.role, door: actor.door };
  const target = id.slice(0, 40);
  await appendAudit(tx, { actor: actor.name, action: "run.order-refused", target, details });
  return { outcome: "refused", ...refusal };
}
