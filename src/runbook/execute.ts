/**
 * How a run runs: plan, act, verify. Every step leaves its intent before and its result after; a finished
 * step is never run again, and one whose effect is unknown is called so. Knows no database, no clock.
 */
import { errorMessage, Fault } from "../base/fault.js";
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import type { ActContext, Answer, Plan, Runbook, Step } from "./define.js";
import { contextFor, type Execution, type ExecutionPorts, readOnly } from "./execution.js";
import {
  type Run,
  type RunEnding,
  type RunOutput,
  RunStopped,
  type StepKey,
  type StepRecord,
} from "./run.js";
import { Transcript } from "./transcript.js";

/**
 * Ends in every case a person could cause; throws only when this executor must let go of the run (shutdown,
 * lost fence, database gone), so that another one resumes it.
 */
export async function executeRun(
  run: Run,
  runbook: Runbook,
  ports: ExecutionPorts,
  signal: AbortSignal,
): Promise<RunEnding> {
  const before = await ports.recorder.steps();
  const execution: Execution = { ...ports, run, runbook, signal, before, answers: [] };
  try {
    const plan = await makePlan(execution);
    if (run.dryRun) return endDryRun(plan);
    await act(execution, plan);
    const outcome = await verify(execution, plan);
    return { status: "succeeded", outcome, output: outputOf(execution) };
  } catch (thrown) {
    if (!(thrown instanceof RunStopped)) throw thrown;
    return { status: thrown.status, outcome: thrown.message, output: outputOf(execution) };
  }
}

async function makePlan(execution: Execution): Promise<Plan> {
  const { run, runbook, recorder } = execution;
  // What was planned is what people were shown: a resumed run does not plan anew.
  if (run.plan) return run.plan;
  const key: StepKey = { phase: "plan", ordinal: 0, name: "plan" };
  const plan = await record(execution, key, async (transcript) => {
    const value = await runbook.plan(
      readOnly(execution, contextFor(execution, NO_PLAN, transcript)),
    );
    return { value, answer: { text: value.text } };
  });
  await recorder.keepPlan(plan);
  return plan;
}

const NO_PLAN: Plan = { text: "", changes: [] };

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
  if (earlier.status !== "running")
    throw new RunStopped(
      "stalled",
      `step "${step.name}" had ${earlier.status} before the run was resumed`,
    );
  return judgeInterrupted(execution, plan, key, step, earlier);
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
  const transcript = new Transcript();
  const effect =
    step.repeat === "never"
      ? "unknown"
      : await step.repeat.check(readOnly(execution, contextFor(execution, plan, transcript)));
  if (effect === "not-done") return null;
  const output = [earlier.output, transcript.text].filter(Boolean).join("\n");
  if (effect === "done") {
    const answer = { text: "it had taken effect before the interruption" };
    await execution.recorder.finish(key, { status: "succeeded", output, result: answer });
    return answer;
  }
  const error = "interrupted: whether it took effect is unknown";
  await execution.recorder.finish(key, { status: "indeterminate", output, error });
  throw new RunStopped(
    "stalled",
    `step "${step.name}" was interrupted and it is unknown whether it took effect: look before you repeat it`,
  );
}

async function runStep(
  execution: Execution,
  plan: Plan,
  key: StepKey,
  step: Step<"V", JsonObject>,
): Promise<Answer> {
  return record(execution, key, async (transcript) => {
    const full = contextFor(execution, plan, transcript);
    // A runbook that only reads is not handed anything that writes, whatever its code believes.
    const context =
      execution.runbook.danger === "R"
        ? (readOnly(execution, full) as ActContext<JsonObject>)
        : full;
    const said = await step.run(context);
    const answer = typeof said === "string" ? { text: said } : said;
    return { value: answer, answer };
  });
}

/** The sentence that says why the run succeeded. */
async function verify(execution: Execution, plan: Plan): Promise<string> {
  const rule = execution.runbook.verify;
  if (!rule) return execution.answers.at(-1)?.answer.text.split("\n")[0] || "done";
  const key: StepKey = { phase: "verify", ordinal: 0, name: "verify" };
  const verdict = await record(execution, key, async (transcript) => {
    const context = readOnly(execution, contextFor(execution, plan, transcript));
    const deadline = execution.now().getTime() + rule.withinMs(execution.run.params);
    for (;;) {
      const found = await rule.check(context);
      const isOver = execution.now().getTime() >= deadline;
      if (found.state === "failed" || (found.state === "waiting" && isOver))
        throw new RunStopped("failed", found.text);
      if (found.state === "passed") return { value: found, answer: { text: found.text } };
      await execution.sleep(rule.everyMs, execution.signal);
      execution.signal.throwIfAborted();
    }
  });
  return verdict.text;
}

/** One step with its intent before and its result after. The intent is written before anything can happen. */
async function record<T>(
  execution: Execution,
  key: StepKey,
  work: (transcript: Transcript) => Promise<{ value: T; answer: Answer }>,
): Promise<T> {
  const { recorder, signal } = execution;
  signal.throwIfAborted();
  await recorder.begin(key);
  recorder.progress(key.name);
  const transcript = new Transcript((line) => recorder.progress(line));
  let done: { value: T; answer: Answer };
  try {
    done = await work(transcript);
  } catch (thrown) {
    throw await recordFailure(execution, key, transcript, thrown);
  }
  transcript.add(done.answer.text);
  await recorder.finish(key, {
    status: "succeeded",
    output: transcript.text,
    result: { ...done.answer } as unknown as JsonObject,
  });
  return done.value;
}

/** What to throw on: the run's ending, or the interruption itself when this executor has to let go. */
async function recordFailure(
  execution: Execution,
  key: StepKey,
  transcript: Transcript,
  thrown: unknown,
): Promise<unknown> {
  const { signal, recorder } = execution;
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    // Shutdown: no result is written, so whoever resumes the run judges the step by its `repeat`.
    if (!(reason instanceof RunStopped)) return reason;
    const status = key.phase === "act" ? "indeterminate" : "failed";
    await recorder.finish(key, { status, output: transcript.text, error: reason.message });
    return reason;
  }
  const error = errorMessage(thrown);
  await recorder.finish(key, { status: "failed", output: transcript.text, error });
  if (thrown instanceof RunStopped) return thrown;
  const hint = thrown instanceof Fault && thrown.hint ? ` (${thrown.hint})` : "";
  const where = key.phase === "act" ? `step "${key.name}" failed: ` : "";
  return new RunStopped("failed", `${where}${error}${hint}`);
}

function toAnswer(result: Json): Answer {
  return isJsonObject(result) && typeof result.text === "string"
    ? (result as unknown as Answer)
    : { text: "" };
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
