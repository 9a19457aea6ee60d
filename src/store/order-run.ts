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
import { isFinal, pinOf, type Run } from "../runbook/run.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { RUN_COLUMNS } from "./run-columns.js";
import { cancelRun } from "./run-endings.js";
import { tellRun } from "./run-telling.js";
import { readRun, requestRun } from "./runs.js";
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
  // Of two orders in one moment the second sees the run of the first.
  await tx.query("SELECT FROM control.run WHERE id = $1 FOR UPDATE", [order.id]);
  const run = await readRun(tx, order.id);
  if (!run) return refuse(tx, order, "undo", unknown(order));
  const entry = order.registry.find(run.runbook);
  const right = await judgeUndo(tx, order, run, entry?.runbook ?? null);
  if (right.decision === "deny")
    return refuse(tx, order, "undo", { reason: "not-allowed", sentence: right.sentence });
  const obstacle = await findObstacle(tx, run, entry);
  if (obstacle !== null || !entry)
    return refuse(tx, order, "undo", { reason: "not-possible", sentence: obstacle ?? gone(run) });
  const undo = await requestRun(tx, {
    ...{ runbook: run.runbook, params: run.params, actor: order.actor, dryRun: false },
    ...{
      contentHash: entry.contentHash,
      targets: run.targets,
      undoOf: run.seq,
      reason: order.reason,
    },
    ...{
      incidentId: run.incidentId ?? undefined,
      commit: run.commit,
      chat: order.chat ?? undefined,
    },
  });
  return { outcome: "queued", run: undo, approval: right.approval ?? null };
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

/** Null: it can be taken back. */
async function findObstacle(
  tx: Sql,
  run: Run,
  entry: RegisteredRunbook | undefined,
): Promise<string | null> {
  const { id } = run;
  if (!isFinal(run.status)) return `${id} has not ended: cancel it, which takes back what it did`;
  if (run.undoOf !== null) return `${id} is an undo itself: ask for the runbook again instead`;
  if (run.dryRun) return `${id} was a dry run: it did nothing`;
  if (run.undone === "complete") return `${id} has been undone already`;
  if (!entry) return gone(run);
  if (![pinOf(entry.contentHash), entry.contentHash].includes(run.contentHash))
    return `${run.runbook} has changed since ${id}: its way back may not fit what was done; look, and undo by hand`;
  const names = await readDoneSteps(tx, run.seq);
  if (names.length === 0) return `${id} did nothing that could be taken back`;
  const isBack = entry.runbook.steps.some((step) => names.includes(step.name) && canUndo(step));
  if (!isBack) return `${run.runbook} has no way back: ${whyNever(entry.runbook)}`;
  const earlier = await findUndo(tx, run.seq);
  return earlier && `${id} is being undone by ${earlier.id}, which is ${earlier.status}`;
}

function canUndo({ undo }: Runbook["steps"][number]): boolean {
  return undo !== undefined && !("never" in undo);
}

function whyNever({ steps }: Runbook): string {
  const never = steps.flatMap(({ undo }) => (undo && "never" in undo ? [undo.never] : []));
  return never.length === 0 ? "none of its steps says how" : never.join("; ");
}

async function readDoneSteps(tx: Sql, runSeq: number): Promise<string[]> {
  const { rows } = await tx.query<{ name: string }>(
    "SELECT name FROM control.run_step WHERE run_seq = $1 AND phase = 'act' AND status = 'succeeded'",
    [runSeq],
  );
  return rows.map(({ name }) => name);
}

/** One that is at work. What failed may be tried again. */
async function findUndo(tx: Sql, runSeq: number): Promise<Run | null> {
  const { rows } = await tx.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run
     WHERE run.undo_of = $1 AND run.status IN ('queued', 'running') LIMIT 1`,
    [runSeq],
  );
  return rows[0] ?? null;
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
