/** What travels through the walk over a run: its ports, its record so far, and what runbook code is handed. */
import type { JsonObject } from "../base/json.js";
import type { ActContext, Answer, Plan, PlannedContext, Runbook } from "./define.js";
import type { Readers, Shell, Writers } from "./port.js";
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
  readonly readers: Readers;
  readonly writers: Writers;
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
  const { run, signal, readers, writers, answers } = execution;
  return {
    runId: run.id,
    params: run.params,
    signal,
    now: execution.now,
    runtime: { ...readers.runtime, ...writers.runtime },
    database: { ...readers.database, ...writers.database },
    system: { ...readers.system, ...writers.system },
    shell: recordedShell(execution.shell, transcript, signal),
    say: (line) => transcript.add(line),
    plan,
    resultOf: (name) => answers.find((it) => it.name === name)?.answer.value,
  };
}

/** The same with what reads alone: for plans, checks, verification, and runbooks that only read. */
export function readOnly(
  { readers }: Pick<Execution, "readers">,
  context: ActContext<JsonObject>,
): PlannedContext<JsonObject> {
  return { ...context, ...readers, shell: { read: context.shell.read } };
}
