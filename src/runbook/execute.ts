/**
 * How a run runs: plan, act, verify, and where that did not work out, undo. Every step leaves its intent before
 * and its result after; a finished step is never run again, and one whose effect is unknown is called so.
 * Knows no database, no clock.
 */
import { Fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { ActContext, Answer, Plan, Runbook, Step, Verdict } from "./define.js";
import {
  contextFor,
  type Execution,
  type ExecutionPorts,
  readOnly,
  redactAnswer,
  redactPlan,
  toAnswer,
} from "./execution.js";
import {
  type Run,
  type RunEnding,
  type RunOutput,
  RunStopped,
  type StepKey,
  type StepRecord,
  type Undone,
} from "./run.js";
import { findEffect, record, refuseWhenStopped } from "./step-record.js";
import { Transcript } from "./transcript.js";
import { listUndos, takeBack } from "./undo.js";

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
  return { status: "succeeded", ...(await verify(execution, plan)), output: outputOf(execution) };
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
      const shown = redactPlan(limited, value);
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

async function act(execution: Execution, plan: Plan): Promise<void> {
  for (const [ordinal, step] of execution.runbook.steps.entries()) {
    execution.signal.throwIfAborted();
    const key: StepKey = { phase: "act", ordinal, name: step.name };
    const answer =
      (await takeFinished(execution, plan, key, step)) ??
      (await runStep(execution, plan, key, step));
    execution.answers.push({ name: step.name, answer });
  }
}

/** The answer of a step that an earlier executor began, when it need not be run again. */
async function takeFinished(
  execution: Execution,
  plan: Plan,
  key: StepKey,
  step: Step<"V", JsonObject>,
): Promise<Answer | null> {
  const earlier = execution.before.find(
    (it) => it.phase === key.phase && it.ordinal === key.ordinal,
  );
  if (!earlier) return null;
  if (earlier.status === "succeeded") return toAnswer(earlier.result);
  if (earlier.status === "running") return judgeInterrupted(execution, plan, key, step, earlier);
  if (earlier.status === "failed")
    throw new RunStopped("failed", `step "${step.name}" failed: ${earlier.error ?? ""}`);
  throw new RunStopped("stalled", unknownEffect(step.name));
}

function unknownEffect(name: string): string {
  return `step "${name}" was interrupted and it is unknown whether it took effect: look before you repeat it`;
}

/** Intent without result: the process died in between, and nobody can tell from the record what took effect. */
async function judgeInterrupted(
  execution: Execution,
  plan: Plan,
  key: StepKey,
  step: Step<"V", JsonObject>,
  earlier: StepRecord,
): Promise<Answer | null> {
  if (step.repeat === "safe") return null;
  const transcript = new Transcript(execution.redact);
  const context = readOnly(execution, contextFor(execution, key, plan, transcript));
  const effect = step.repeat === "never" ? "unknown" : await step.repeat.check(context);
  if (effect === "not-done") return null;
  const output = [earlier.output, transcript.text].filter(Boolean).join("\n");
  if (effect === "done") {
    const answer = { text: "it had taken effect before the interruption" };
    await execution.recorder.finish(key, { status: "succeeded", output, result: answer });
    return answer;
  }
  const error = "interrupted: whether it took effect is unknown";
  await execution.recorder.finish(key, { status: "indeterminate", output, error });
  throw new RunStopped("stalled", unknownEffect(step.name));
}

async function runStep(
  execution: Execution,
  plan: Plan,
  key: StepKey,
  step: Step<"V", JsonObject>,
): Promise<Answer> {
  const changes = execution.runbook.danger !== "R";
  // What only looks is what people need most while nothing may move.
  if (changes) await refuseWhenStopped(execution);
  return record<Answer>(execution, key, {
    timeoutMs: step.timeoutMs,
    run: async (transcript, limited) => {
      const full = contextFor(limited, key, plan, transcript);
      // A runbook that only reads is not handed anything that writes, whatever its code believes.
      const context = changes ? full : (readOnly(limited, full) as ActContext<JsonObject>);
      const said = await step.run(context);
      const answer = redactAnswer(limited, typeof said === "string" ? { text: said } : said);
      return { value: answer, answer };
    },
    ...(changes
      ? { effect: (transcript) => findEffect(execution, key, plan, step.repeat, transcript) }
      : {}),
  });
}

/** The sentence that says why the run succeeded. */
async function verify(
  execution: Execution,
  plan: Plan,
): Promise<Pick<RunEnding, "outcome" | "verified">> {
  const rule = execution.runbook.verify;
  if (!rule) return { outcome: execution.answers.at(-1)?.answer.text.split("\n")[0] || "done" };
  const key: StepKey = { phase: "verify", ordinal: 0, name: "verify" };
  const verdict = await record<Verdict>(execution, key, {
    run: async (transcript, limited) => {
      const context = readOnly(limited, contextFor(limited, key, plan, transcript));
      const deadline = limited.now().getTime() + rule.withinMs(limited.run.params);
      for (;;) {
        const found = redactVerdict(limited, await look(() => rule.check(context)));
        const isOver = limited.now().getTime() >= deadline;
        if (found.state === "failed" || (found.state === "waiting" && isOver))
          throw new RunStopped("failed", found.text, { verified: false });
        if (found.state === "passed") return { value: found, answer: { text: found.text } };
        await limited.sleep(rule.everyMs, limited.signal);
        limited.signal.throwIfAborted();
      }
    },
  });
  return { outcome: verdict.text, verified: true };
}

function redactVerdict({ redact }: Execution, verdict: Verdict): Verdict {
  return { ...verdict, text: redact(verdict.text) };
}

/** A look that could not be taken is taken again while there is time: what was done stands all the same. */
async function look(check: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await check();
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === "transient")
      return { state: "waiting", text: `it could not be verified: ${thrown.message}` };
    throw thrown;
  }
}

/** A run that has to end before its end: with what it did taken back, where that is its runbook's way. */
async function endStopped(
  execution: Execution,
  plan: Plan,
  stopped: RunStopped,
): Promise<RunEnding> {
  const { run, runbook, recorder } = execution;
  const { status, verified } = stopped;
  const ending = { status, outcome: stopped.message, output: outputOf(execution), verified };
  if (execution.original) return { ...ending, undone: await halfway(execution) };
  const isStuck = status === "stalled" || execution.letGo.aborted;
  if (run.dryRun || isStuck || runbook.undoOnFailure === "asked") return ending;
  try {
    const steps = await recorder.steps();
    const { undone, text } = await takeBack(execution, plan, steps);
    const outcome = [stopped.message, text].filter(Boolean).join("; ");
    return { ...ending, outcome, undone, status: undone === "failed" ? "failed" : status };
  } catch (thrown) {
    if (!(thrown instanceof RunStopped)) throw thrown;
    return { ...ending, status: thrown.status, outcome: `${stopped.message}; ${thrown.message}` };
  }
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
