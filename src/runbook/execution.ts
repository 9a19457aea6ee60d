/** What travels through the walk over a run: its ports, its record so far, and what runbook code is handed. */
import type { JsonObject } from "../base/json.js";
import type { ActContext, Answer, Plan, PlannedContext, Runbook } from "./define.js";
import type { RuntimeReader, RuntimeWriter, Shell } from "./port.js";
import { recordedShell } from "./recorded-shell.js";
import type { Run, StepEnding, StepKey, StepRecord } from "./run.js";
import type { Transcript } from "./transcript.js";

/** Keeps what happens. Every write is fenced: it throws when this executor no longer holds the run. */
export interface Recorder {
  steps(): Promise<StepRecord[]>;
  /** The intent. */
  begin(step: StepKey): Promise<void>;
  /** The result, with its audit row. */
  finish(step: StepKey, ending: StepEnding): Promise<void>;
  keepPlan(plan: Plan): Promise<void>;
  /** Progress for people: may be shown late or not at all. */
  progress(line: string): void;
}

export interface ExecutionPorts {
  readonly recorder: Recorder;
  readonly reader: RuntimeReader;
  readonly writer: RuntimeWriter;
  readonly shell: Shell;
  now(): Date;
  /** Resolves after `ms` or when the signal aborts; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface Execution extends ExecutionPorts {
  readonly run: Run;
  readonly runbook: Runbook;
  /** Aborted with a `RunStopped` by cancellation and deadline, with anything else by shutdown. */
  readonly signal: AbortSignal;
  readonly before: readonly StepRecord[];
  /** What the finished steps answered, in their order. */
  readonly answers: { readonly name: string; readonly answer: Answer }[];
}

/** Everything that a step of a changing runbook may touch. */
export function contextFor(
  execution: Execution,
  plan: Plan,
  transcript: Transcript,
): ActContext<JsonObject> {
  const { run, signal, reader, writer, answers } = execution;
  return {
    runId: run.id,
    params: run.params,
    signal,
    now: execution.now,
    runtime: { ...reader, ...writer },
    shell: recordedShell(execution.shell, transcript, signal),
    say: (line) => transcript.add(line),
    plan,
    resultOf: (name) => answers.find((it) => it.name === name)?.answer.value,
  };
}

/** The same without anything that writes: for plans, checks, verification, and runbooks that only read. */
export function readOnly(context: ActContext<JsonObject>): PlannedContext<JsonObject> {
  const {
    retryJob: _retry,
    pauseQueue: _pause,
    resumeQueue: _resume,
    ...runtime
  } = context.runtime;
  return { ...context, runtime, shell: { read: context.shell.read } };
}
