/** Taking back a run that has ended: a run of its own, which a person asks for and which has its own record. */
import type { Actor } from "../runbook/authorize.js";
import { digestOf, isFinal, type Run } from "../runbook/run.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { RUN_COLUMNS } from "./run-columns.js";
import { readSteps } from "./run-steps.js";
import { type RunOrigin, requestRun } from "./runs.js";

export type UndoAsked =
  | { readonly outcome: "queued"; readonly run: Run }
  /** It is being taken back at this moment. */
  | { readonly outcome: "already-running"; readonly run: Run }
  | {
      readonly outcome: "refused";
      /** For the asker: what was found, and what to do instead. */
      readonly sentence: string;
    };

/**
 * Asks for it, or says why not, in the caller's transaction; the caller has made sure that the actor may run the
 * runbook. What of it can be taken back, and whether people must agree, is for its executor to find.
 */
export async function undoRun(
  tx: Sql,
  original: Run,
  request: RunOrigin & { readonly actor: Actor },
): Promise<UndoAsked> {
  const { rows } = await tx.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run WHERE run.seq = $1 FOR UPDATE`,
    [original.seq],
  );
  const run = rows[0] ?? original;
  const open = await findOpenUndo(tx, run.seq);
  if (open) return { outcome: "already-running", run: open };
  const sentence = await findRefusal(tx, run);
  if (sentence === null) return { outcome: "queued", run: await requestUndo(tx, run, request) };
  await appendAudit(tx, {
    actor: request.actor.name,
    action: "run.undo-refused",
    target: run.id,
    details: { sentence },
  });
  return { outcome: "refused", sentence };
}

async function findOpenUndo(tx: Sql, seq: number): Promise<Run | null> {
  const { rows } = await tx.query<Run>(
    `SELECT ${RUN_COLUMNS} FROM control.run AS run
     WHERE run.undo_of = $1 AND run.status IN ('queued', 'running') LIMIT 1`,
    [seq],
  );
  return rows[0] ?? null;
}

/** Null: nothing speaks against it. */
async function findRefusal(tx: Sql, run: Run): Promise<string | null> {
  if (!isFinal(run.status))
    return `${run.id} has not ended: cancel it, and it takes back what it did`;
  if (run.undoOf !== null)
    return `${run.id} itself took back run-${run.undoOf}: run that runbook again`;
  if (run.undone === "complete") return `${run.id} has been taken back already`;
  const steps = await readSteps(tx, run.seq);
  const isHalfway = steps.some(({ phase, status }) => phase === "undo" && status !== "succeeded");
  if (run.undone === "failed" || isHalfway)
    return `taking ${run.id} back has failed on the way, and a second try could repeat half of it: look at its steps, and do the rest by hand`;
  const acted = steps.some(({ phase, status }) => phase === "act" && status === "succeeded");
  return acted ? null : `${run.id} finished no step: there is nothing to take back`;
}

function requestUndo(
  tx: Sql,
  original: Run,
  { actor, ...origin }: RunOrigin & { readonly actor: Actor },
): Promise<Run> {
  const { runbook, params, targets, commit } = original;
  return requestRun(tx, {
    ...{ commit, ...origin },
    ...{ runbook, params, targets, actor, dryRun: false, undoOf: original.seq },
    // The steps that are taken back are those of the file that took them.
    contentHash: digestOf(original.contentHash),
  });
}
