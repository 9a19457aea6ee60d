/**
 * Intent without result: the process died in between. From the record alone nobody can tell what took effect; a
 * step may say how to find out, or that doing it again does no harm. What stays unknown is called so.
 */
import type { JsonObject } from "../base/json.js";
import type { Answer, Plan, Repeat } from "./define.js";
import { contextFor, type Execution, readOnly } from "./execution.js";
import type { StepKey, StepRecord } from "./run.js";
import { type Effect, findEffect } from "./step-record.js";
import { Transcript } from "./transcript.js";

export const HAD_TAKEN_EFFECT: Answer = { text: "it had taken effect before the interruption" };

/**
 * For whoever goes on: `not-done` is to be done (again), and nothing is written; otherwise the result is. A check
 * that fails is no answer: it is thrown on, so that it is asked again.
 */
export async function judgeInterrupted(
  execution: Execution,
  key: StepKey,
  plan: Plan,
  repeat: Repeat<JsonObject>,
  earlier: StepRecord,
): Promise<Effect> {
  if (repeat === "safe") return "not-done";
  const transcript = new Transcript(execution.redact);
  const context = readOnly(execution, contextFor(execution, key, plan, transcript));
  const effect = repeat === "never" ? "unknown" : await repeat.check(context);
  if (effect !== "not-done") await writeEffect(execution, key, effect, earlier, transcript);
  return effect;
}

/** For a run that has to end: names of the steps of which nobody will know whether they took effect. */
export async function settleInterrupted(execution: Execution, plan: Plan): Promise<string[]> {
  const unknown: string[] = [];
  for (const earlier of await execution.recorder.steps()) {
    const { phase, ordinal, name, status } = earlier;
    // What takes back is judged where it goes on.
    if (status !== "running" || phase === "undo") continue;
    const key: StepKey = { phase, ordinal, name };
    const step = execution.runbook.steps[ordinal];
    const repeat = step?.looks ? undefined : step?.repeat;
    const transcript = new Transcript(execution.redact);
    const effect =
      phase === "act" && repeat !== undefined
        ? await findEffect(execution, key, plan, repeat, transcript)
        : "not-done";
    await writeEffect(execution, key, effect, earlier, transcript);
    if (effect === "unknown") unknown.push(name);
  }
  return unknown;
}

async function writeEffect(
  { recorder }: Execution,
  key: StepKey,
  effect: Effect,
  earlier: StepRecord,
  transcript: Transcript,
): Promise<void> {
  const output = [earlier.output, transcript.text].filter(Boolean).join("\n");
  if (effect === "done")
    return recorder.finish(key, {
      status: "succeeded",
      output,
      result: { text: HAD_TAKEN_EFFECT.text },
    });
  if (effect === "not-done")
    return recorder.finish(key, {
      ...{ status: "failed", output },
      error: "interrupted before it took effect",
    });
  return recorder.finish(key, {
    ...{ status: "indeterminate", output },
    error: "interrupted: whether it took effect is unknown",
  });
}
