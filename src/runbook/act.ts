/** The steps of a run, in their order: what an earlier executor finished is not run again. */
import type { JsonObject } from "../base/json.js";
import type { ActContext, Answer, Plan, Step } from "./define.js";
import { contextFor, type Execution, readOnly, redactAnswer, toAnswer } from "./execution.js";
import { HAD_TAKEN_EFFECT, judgeInterrupted } from "./interrupted.js";
import { RunStopped, type StepKey } from "./run.js";
import { findEffect, record, refuseWhenStopped } from "./step-record.js";
import { leftSentence } from "./succession.js";

export async function act(execution: Execution, plan: Plan): Promise<void> {
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
  if (earlier.status === "failed")
    throw new RunStopped("failed", `step "${step.name}" failed: ${earlier.error ?? ""}`);
  if (earlier.status === "running") {
    const effect = await judgeInterrupted(execution, key, plan, step.repeat, earlier);
    if (effect !== "unknown") return effect === "done" ? HAD_TAKEN_EFFECT : null;
  }
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
  const changes = execution.runbook.danger !== "R";
  const looks = !changes || step.looks === true;
  if (execution.isSuccessor && !looks) await refuseToGoOn(execution, step.name);
  // What only looks is what people need most while nothing may move.
  if (changes) await refuseWhenStopped(execution);
  return record<Answer>(execution, key, {
    timeoutMs: step.timeoutMs,
    run: async (transcript, limited) => {
      const full = contextFor(limited, key, plan, transcript);
      // What only reads is not handed anything that writes, whatever its code believes.
      const context = looks ? (readOnly(limited, full) as ActContext<JsonObject>) : full;
      const said = await step.run(context);
      const answer = redactAnswer(limited, typeof said === "string" ? { text: said } : said);
      return { value: answer, answer };
    },
    ...(!looks
      ? { effect: (transcript) => findEffect(execution, key, plan, step.repeat, transcript) }
      : {}),
  });
}

/** People agreed to another file: what it would change is not for this one to do. */
async function refuseToGoOn(execution: Execution, step: string): Promise<never> {
  const { run, runbook, recorder } = execution;
  const why = `"${step}" would change something by code that nobody agreed to`;
  throw new RunStopped("stalled", leftSentence(run, runbook, await recorder.steps(), why));
}
