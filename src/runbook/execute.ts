/**
 * How a run runs: plan, act, verify, and where that did not work out, undo. Every step leaves its intent before
 * and its result after; a finished step is never run again, and one whose effect is unknown is called so.
 * Knows no database, no clock.
 */
import { act } from "./act.js";
import type { Plan, Runbook } from "./define.js";
import {
  contextFor,
  type Execution,
  type ExecutionPorts,
  readOnly,
  redactPlan,
} from "./execution.js";
import { settleInterrupted } from "./interrupted.js";
import {
  type Run,
  type RunEnding,
  type RunOutput,
  RunStopped,
  type StepKey,
  type StepRecord,
  type Undone,
} from "./run.js";
import { record, unknownEffect } from "./step-record.js";
import { makerOf, whyNotBack } from "./succession.js";
import { listUndos, takeBack } from "./undo.js";
import { verify } from "./verify.js";

/** Aborted with a `RunStopped` when the run has to end, with anything else when we have to let go of it. */
export interface RunSignals {
  /** By cancellation, deadline, stop switch, and whoever makes us let go. */
  readonly stop: AbortSignal;
  /** By the stop switch and whoever makes us let go. */
  readonly letGo: AbortSignal;
}

/**
 * Ends in every case a person could cause; throws `RunParked` when people must agree first, and anything else
 * only when this executor must let go of the run (shutdown, lost fence, database gone), so that another resumes it.
 */
export async function executeRun(
  run: Run,
  runbook: Runbook,
  ports: ExecutionPorts,
  { stop, letGo }: RunSignals,
): Promise<RunEnding> {
  const before = await ports.recorder.steps();
  const execution: Execution = {
    ...ports,
    ...{ run, runbook, letGo, signal: stop, before, answers: [] },
  };
  let plan = run.plan ?? NO_PLAN;
  try {
    plan = await makePlan(execution);
    if (run.dryRun) return endDryRun(plan);
    if (!hasActed(execution)) await execution.gate(plan);
    return await work(execution, plan);
  } catch (thrown) {
    if (!(thrown instanceof RunStopped)) throw thrown;
    return await endStopped(execution, plan, thrown);
  }
}

function hasActed({ before }: Execution): boolean {
  return before.some(({ phase }) => phase === "act" || phase === "undo");
}

async function work(execution: Execution, plan: Plan): Promise<RunEnding> {
  const { original } = execution;
  if (original !== null) {
    const { undone, text } = await takeBack(execution, plan, original.steps);
    const status = undone === "failed" ? "failed" : "succeeded";
    return { status, outcome: text, output: null, undone };
  }
  refuseWhenUndoing(execution);
  await act(execution, plan);
  const { outcome, ...verified } = await verify(execution, plan);
  const told = execution.isSuccessor ? `${outcome}; ${sayLookedOn(execution)}` : outcome;
  return { status: "succeeded", ...verified, outcome: told, output: outputOf(execution) };
}

function sayLookedOn({ run }: Execution): string {
  return `${run.runbook} has changed since it was asked for, and the new one only looked`;
}

/** Whoever died while taking back had a reason to: the way is back, not on. */
function refuseWhenUndoing({ before }: Execution): void {
  if (!before.some(({ phase }) => phase === "undo")) return;
  const failed = before.find(({ phase, status }) => phase !== "undo" && status === "failed");
  const what = failed?.phase === "act" ? `step "${failed.name}" failed: ` : "";
  throw new RunStopped("failed", `${what}${failed?.error ?? "it was being taken back"}`);
}

async function makePlan(execution: Execution): Promise<Plan> {
  const { run, runbook, recorder, original } = execution;
  // What was planned is what people were shown, and a resumed run does not plan anew; but after they agreed it
  // must still be what would happen.
  if (run.plan && (run.boundHash === null || hasActed(execution))) return run.plan;
  const key: StepKey = { phase: "plan", ordinal: 0, name: "plan" };
  const plan = await record<Plan>(execution, key, {
    run: async (transcript, limited) => {
      const value = original
        ? planBack(execution, original.id, original.steps)
        : await runbook.plan(readOnly(limited, contextFor(limited, key, NO_PLAN, transcript)));
      const shown = { ...redactPlan(limited, value), maker: makerOf(runbook) };
      return { value: shown, answer: { text: shown.text } };
    },
  });
  await recorder.keepPlan(plan);
  return plan;
}

const NO_PLAN: Plan = { text: "", changes: [] };

/** With the facts that the steps acted on. */
function planBack(execution: Execution, id: string, steps: readonly StepRecord[]): Plan {
  const { changes, stays } = listUndos(execution, steps);
  if (changes.length === 0)
    throw new RunStopped(
      "failed",
      [`${id} did nothing that can be taken back`, ...stays].join("; "),
    );
  const facts = execution.original?.plan?.facts;
  const text = [`Takes back what ${id} did.`, ...stays].join("\n");
  return { text, changes, ...(facts ? { facts } : {}) };
}

function endDryRun(plan: Plan): RunEnding {
  const changes = plan.changes.map((change) => `would ${change}`).join("\n");
  return {
    status: "succeeded",
    outcome:
      plan.changes.length === 0 ? "dry run: nothing would change" : "dry run: nothing was changed",
    output: { text: [plan.text, changes].filter(Boolean).join("\n") },
  };
}

/** A run that has to end before its end: with what it did taken back, where that is its runbook's way. */
async function endStopped(
  execution: Execution,
  plan: Plan,
  stopped: RunStopped,
): Promise<RunEnding> {
  const { run, runbook, recorder } = execution;
  const { status, verified } = stopped;
  const unknown = await settleInterrupted(execution, plan);
  const sentence = [stopped.message, ...unknown.map(unknownEffect)].join("; ");
  const ending = { status, outcome: sentence, output: outputOf(execution), verified };
  if (execution.original) return { ...ending, undone: await halfway(execution) };
  const isStuck = status === "stalled" || execution.letGo.aborted;
  if (run.dryRun || isStuck || runbook.undoOnFailure === "asked") return ending;
  try {
    const steps = await recorder.steps();
    const other = execution.isSuccessor ? whyNotBack(plan, runbook, steps) : null;
    if (other !== null) return { ...ending, outcome: `${sentence}; ${sayLeft(execution, other)}` };
    const { undone, text } = await takeBack(execution, plan, steps);
    const outcome = [sentence, text].filter(Boolean).join("; ");
    return { ...ending, outcome, undone, status: undone === "failed" ? "failed" : status };
  } catch (thrown) {
    if (!(thrown instanceof RunStopped)) throw thrown;
    return { ...ending, status: thrown.status, outcome: `${sentence}; ${thrown.message}` };
  }
}

function sayLeft({ run, runbook }: Execution, why: string): string {
  const next = runbook.next(run.params);
  const byHand = next === undefined ? "go back by hand" : `go back by hand: ${next}`;
  return `NOTHING WAS TAKEN BACK, since ${run.runbook} has changed meanwhile and ${why}; ${byHand}`;
}

/** Once part of it is taken back, a second try could repeat that part. */
async function halfway({ recorder }: Execution): Promise<Undone | undefined> {
  const steps = await recorder.steps();
  return steps.some(({ phase }) => phase === "undo") ? "failed" : undefined;
}

function outputOf({ answers }: Execution): RunOutput | null {
  if (answers.length === 0) return null;
  const isOnly = answers.length === 1;
  const text = answers.map(({ name, answer }) =>
    isOnly ? answer.text : `${name}: ${answer.text}`,
  );
  const table = answers.findLast(({ answer }) => answer.table)?.answer.table;
  return { text: text.join("\n"), ...(table ? { table } : {}) };
}
