/** The end of a run, in one transaction with all that follows from it. */
import { fault } from "../../base/fault.js";
import type { JobContext } from "../../job/port.js";
import { isFinal, type Run, type RunEnding } from "../../runbook/run.js";
import type { Database } from "../../store/database.js";
import { finishRun } from "../../store/run-endings.js";
import { startRun } from "../../store/run-leases.js";
import { readRun } from "../../store/runs.js";
import type { AfterRun } from "../after-run.js";
import type { RuntimeNotify, RuntimeWord } from "../runtime-word.js";

export interface EndRunDeps {
  readonly db: Database;
  /** What could not be taken back wakes a person. */
  readonly notify: RuntimeNotify;
  /** In the transaction that ends a run: what its end says of its runbook. */
  readonly afterRun: AfterRun;
}

/** Of a run that does not get to work, or not again. */
export function notBegun(outcome: string, hasActed: boolean): RunEnding {
  if (!hasActed) return { status: "failed", outcome: `${outcome}: nothing was done`, output: null };
  const stalled = `${outcome}, and steps had been taken: look before you ask again`;
  return { status: "stalled", outcome: stalled, output: null };
}

/** Ends a run that this executor holds. Throws a waiting fault when another has taken it. */
export async function finishHeld(
  { db, notify, afterRun }: EndRunDeps,
  context: JobContext,
  run: Run,
  ending: RunEnding,
): Promise<Run> {
  await db.transaction(async (tx) => {
    if (!(await finishRun(tx, run, ending))) return;
    if (ending.undone === "failed") await notify(tx, wordOfFailedUndo(run, ending));
    await afterRun(tx, run);
  });
  const ended = await readRun(db, run.id);
  // Somebody else holds it: what they make of it is theirs to tell.
  if (!ended || !isFinal(ended.status))
    throw fault.waiting("RUN_LOST", `${run.id} was taken by another executor`);
  context.log.info("run.ended", {
    run_id: run.id,
    runbook: run.runbook,
    status: ended.status,
    outcome: ended.outcome,
  });
  return ended;
}

/** It is neither as it was nor as it was meant to be, and nothing will repair it by itself. */
function wordOfFailedUndo(run: Run, { outcome }: RunEnding): RuntimeWord {
  return {
    audience: "critical",
    severity: "sev2",
    key: `${run.id}/undo`,
    place: run.id,
    message: {
      tone: "bad",
      title: `${run.id} (${run.runbook}) could not take back what it did`,
      text: outcome,
    },
    details: { run_id: run.id, runbook: run.runbook, params: run.params },
  };
}

/** Ends a run that never got to work. */
export async function endRun(
  deps: EndRunDeps,
  context: JobContext,
  run: Run,
  ending: RunEnding,
): Promise<Run> {
  const taken = await deps.db.transaction((tx) => startRun(tx, run.id));
  if (taken) return finishHeld(deps, context, taken, ending);
  return readEnded(deps.db, run.id);
}

async function readEnded(db: Database, id: string): Promise<Run> {
  const run = await readRun(db, id);
  if (run && isFinal(run.status)) return run;
  throw fault.waiting("RUN_HELD", `${id} is at work in another executor`);
}
