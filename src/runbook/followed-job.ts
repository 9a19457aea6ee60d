/** A job that a runbook puts in and then follows until it has ended: the step, what takes it back, and the check. */

import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import { parseJobId } from "../job/job.js";
import type { ActContext, PlannedContext, Verdict } from "./define.js";
import type { JobView } from "./port.js";

export interface WantedJob {
  readonly kind: string;
  readonly payload: JsonObject;
  /** 1–10; default 5. */
  readonly priority?: number;
}

/** Steps look this often, in milliseconds. */
const LOOK_MS = 2_000;

/**
 * The step. Asked for again after a crash, the same job is the answer; taken back, the job is cancelled unless it
 * has begun. `wanted` is made from the parameters and the plan.
 */
export function submitStep<P>(
  name: string,
  wanted: (context: PlannedContext<P>) => WantedJob,
  reason: (params: P) => string,
) {
  return {
    name,
    repeat: "safe" as const,
    run: async (context: ActContext<P>) => {
      const { seq } = await context.runtime.submitJob({
        ...wanted(context),
        ...{ key: name.replaceAll(/[^a-z0-9]+/g, "-"), reason: reason(context.params) },
      });
      return { text: `job-${seq} was put in`, value: `job-${seq}` };
    },
    undo: {
      name: "cancel the job, unless it has begun",
      repeat: "safe" as const,
      run: (context: ActContext<P> & { readonly done?: unknown }) =>
        cancelUnbegun(context, String(context.done ?? "")),
    },
  };
}

async function cancelUnbegun<P>({ runtime, runId }: ActContext<P>, id: string): Promise<string> {
  const seq = parseJobId(id);
  const job = seq === null ? null : await runtime.job(seq);
  if (job === null) return "there is no job to cancel";
  if (job.status !== "pending" || job.attempts > 0)
    return `${id} is ${job.status}: what it did stands`;
  await runtime.cancelJob({ seq: job.seq, reason: `taken back by ${runId}` });
  return `${id} had not begun and is cancelled`;
}

/** Waits until the job of an earlier step has ended, for a step that needs its result. */
export async function awaitJob<P>(context: ActContext<P>, step: string): Promise<JsonObject> {
  for (;;) {
    const { state, text, result } = await look(context, step);
    if (state === "passed") return result;
    if (state === "failed") throw fault.data("JOB_NOT_COMPLETED", text);
    context.say(text);
    await context.wait(LOOK_MS);
  }
}

/** Whether the job of that step has completed. */
export async function jobVerdict<P>(context: PlannedContext<P>, step: string): Promise<Verdict> {
  const { state, text } = await look(context, step);
  return { state, text };
}

interface Looked extends Verdict {
  readonly result: JsonObject;
}

async function look<P>(context: PlannedContext<P>, step: string): Promise<Looked> {
  const id = String(context.resultOf(step) ?? "");
  const seq = parseJobId(id);
  const job = seq === null ? null : await context.runtime.job(seq);
  if (job === null) return { state: "failed", text: `${id || "its job"} is gone`, result: {} };
  const result = isJsonObject(job.result) ? job.result : {};
  if (job.status === "completed")
    return { state: "passed", text: `${id} completed: ${inWords(result)}`, result };
  if (job.status === "pending" || job.status === "running")
    return { state: "waiting", text: `${id} is ${await standing(context, job)}`, result };
  const why = job.error ?? "no error was kept";
  return { state: "failed", text: `${id} is ${job.status}: ${why}`, result };
}

async function standing<P>(context: PlannedContext<P>, job: JobView): Promise<string> {
  if (job.status === "pending") return "waiting for a worker";
  const [attempt] = await context.runtime.attemptsOf(job.seq, 1);
  return `running${attempt?.note ? `: ${attempt.note}` : ""}`;
}

/** `merged 2, claims 14`: plain figures and words; lists and what is nested stay with the job. */
export function inWords(result: JsonObject): string {
  const plain = Object.entries(result).filter(
    ([, value]) => value !== null && typeof value !== "object",
  );
  if (plain.length === 0) return "it told no figures";
  return plain.map(([key, value]) => `${key} ${value}`).join(", ");
}
