/**
 * One step with its intent before and its result after. The intent is written before anything can happen; what
 * was interrupted is called indeterminate, unless a check can tell what became of it.
 */
import { formatDuration } from "../base/duration.js";
import { errorMessage, Fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { Answer, Plan, Repeat } from "./define.js";
import { contextFor, type Execution, readOnly } from "./execution.js";
import { RunStopped, type StepKey } from "./run.js";
import type { Stopped } from "./stop.js";
import { Transcript } from "./transcript.js";

/** What is asked to stop and does not is left behind: its run ends, and by that it may write nothing more. */
const ABANDON_MS = 15_000;
/** For telling what an interrupted step came to. */
const CHECK_MS = 10_000;

export interface Recorded<T> {
  readonly value: T;
  readonly answer: Answer;
}

export interface StepWork<T> {
  /** `limited` carries the signal of this step. */
  run(transcript: Transcript, limited: Execution): Promise<Recorded<T>>;
  /** Milliseconds; absent: what is left of the run. */
  readonly timeoutMs?: number | undefined;
  /** Asked when it was interrupted; absent: it changes nothing. */
  effect?(transcript: Transcript): Promise<Effect>;
}

export type Effect = "done" | "not-done" | "unknown";

/** Throws a `RunStopped` for what a person could cause, and anything else when we have to let go of the run. */
export async function record<T>(execution: Execution, key: StepKey, work: StepWork<T>): Promise<T> {
  const { recorder } = execution;
  execution.signal.throwIfAborted();
  await recorder.begin(key);
  const transcript = new Transcript(execution.redact, (line, stream) =>
    recorder.line(key, stream, line),
  );
  const limit = limitTime(execution, key, work.timeoutMs);
  const limited = { ...execution, signal: limit.signal };
  let done: Recorded<T>;
  try {
    done = await orAbandoned(limited, key, work.run(transcript, limited));
  } catch (thrown) {
    throw await recordFailure(limited, key, work, transcript, thrown);
  } finally {
    limit.clear();
  }
  transcript.add(done.answer.text);
  await recorder.finish(key, {
    status: "succeeded",
    output: transcript.text,
    result: { ...done.answer } as unknown as JsonObject,
    endedBy: transcript.endedBy,
  });
  return done.value;
}

function limitTime(execution: Execution, key: StepKey, timeoutMs: number | undefined) {
  if (timeoutMs === undefined) return { signal: execution.signal, clear: () => {} };
  const over = new AbortController();
  const done = new AbortController();
  const outcome = `step "${key.name}" was not done within ${formatDuration(timeoutMs)}`;
  void execution.sleep(timeoutMs, done.signal).then(() => {
    if (!done.signal.aborted) over.abort(new RunStopped("failed", outcome));
  });
  return {
    signal: AbortSignal.any([execution.signal, over.signal]),
    clear: () => done.abort(),
  };
}

/** A step that heeds no signal must not keep its run, its targets and its people waiting for ever. */
async function orAbandoned<T>(execution: Execution, key: StepKey, work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const abandoned = async (): Promise<never> => {
    await whenAborted(AbortSignal.any([execution.signal, done.signal]));
    if (!done.signal.aborted) await execution.sleep(ABANDON_MS, done.signal);
    throw new RunStopped(
      "stalled",
      `step "${key.name}" did not end within ${formatDuration(ABANDON_MS)} of being stopped: look what it does`,
    );
  };
  try {
    return await Promise.race([work, abandoned()]);
  } finally {
    done.abort();
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What to throw on: the run's ending, or the interruption itself when this executor has to let go. */
async function recordFailure<T>(
  execution: Execution,
  key: StepKey,
  work: StepWork<T>,
  transcript: Transcript,
  thrown: unknown,
): Promise<unknown> {
  const { signal } = execution;
  const reason: unknown = signal.aborted ? signal.reason : null;
  // Shutdown: no result is written, so whoever resumes the run judges the step by its `repeat`.
  if (signal.aborted && !(reason instanceof RunStopped)) return reason;
  // Its write came too late: what is to become of it is for whoever holds the run now.
  if (thrown instanceof Fault && thrown.code === "RUN_LOST") return thrown;
  const stopped = isAbandoned(thrown) ? thrown : reason;
  if (stopped instanceof RunStopped)
    return recordInterruption(execution, key, work, transcript, stopped);
  const error = execution.redact(errorMessage(thrown));
  const { endedBy } = transcript;
  await execution.recorder.finish(key, {
    status: "failed",
    output: transcript.text,
    error,
    endedBy,
  });
  if (thrown instanceof RunStopped) return thrown;
  const hint = thrown instanceof Fault && thrown.hint ? ` (${execution.redact(thrown.hint)})` : "";
  const where = key.phase === "act" ? `step "${key.name}" failed: ` : "";
  return new RunStopped("failed", `${where}${error}${hint}`);
}

/** Of what a step throws only this says that it is still at it. */
function isAbandoned(thrown: unknown): thrown is RunStopped {
  return thrown instanceof RunStopped && thrown.status === "stalled";
}

async function recordInterruption<T>(
  execution: Execution,
  key: StepKey,
  work: StepWork<T>,
  transcript: Transcript,
  stopped: RunStopped,
): Promise<RunStopped> {
  const effect = work.effect ? await work.effect(transcript) : "not-done";
  const error = stopped.message;
  const common = { output: transcript.text, endedBy: transcript.endedBy };
  if (effect === "done") {
    const result = { text: "it had taken effect before the run was stopped" };
    await execution.recorder.finish(key, { status: "succeeded", ...common, result });
    return stopped;
  }
  const status = effect === "unknown" ? "indeterminate" : "failed";
  await execution.recorder.finish(key, { status, ...common, error });
  if (effect !== "unknown") return stopped;
  return new RunStopped(stopped.status, `${error}; ${unknownEffect(key.name)}`);
}

export function unknownEffect(name: string): string {
  return `step "${name}" was interrupted, and whether it took effect is unknown`;
}

/** Asked before each step that may change anything, and before each that takes one back. */
export async function refuseWhenStopped({ stop }: Pick<Execution, "stop">): Promise<void> {
  const stopped = await stop.read();
  if (stopped) throw new RunStopped("stalled", stopSentence(stopped));
}

export function stopSentence({ by, reason }: Pick<Stopped, "by" | "reason">): string {
  return `stopped by ${by}: ${reason}`;
}

/** What an interrupted step came to, as far as its `repeat` can tell. A check that fails tells nothing. */
export async function findEffect(
  execution: Execution,
  key: StepKey,
  plan: Plan,
  repeat: Repeat<JsonObject>,
  transcript: Transcript,
): Promise<Effect> {
  if (typeof repeat === "string") return "unknown";
  // Looking is what still may be done after a cancellation or the deadline.
  const looking = { ...execution, signal: execution.letGo };
  const done = new AbortController();
  const late = execution.sleep(CHECK_MS, done.signal).then((): Effect => "unknown");
  try {
    const found = repeat.check(readOnly(looking, contextFor(looking, key, plan, transcript)));
    return await Promise.race([found, late]);
  } catch (thrown) {
    transcript.add(`it could not be checked: ${errorMessage(thrown)}`);
    return "unknown";
  } finally {
    done.abort();
  }
}
