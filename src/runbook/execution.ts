/** What travels through the walk over a run: its ports, its record so far, and what runbook code is handed. */
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import type { ActContext, Answer, Plan, PlannedContext, Runbook } from "./define.js";
import type { Programs, Readers, Shell, Writers } from "./port.js";
import { type ProcessRecord, recordedPrograms, recordedShell } from "./recorded-shell.js";
import type { Run, StepEnding, StepKey, StepRecord } from "./run.js";
import type { StopSwitchPort } from "./stop.js";
import type { LineStream, Transcript } from "./transcript.js";

/** Keeps what happens. Every write is fenced: it throws when this executor no longer holds the run. */
export interface Recorder extends ProcessRecord {
  steps(): Promise<StepRecord[]>;
  /** The intent. */
  begin(step: StepKey): Promise<void>;
  /** The result, with its audit row. */
  finish(step: StepKey, ending: StepEnding): Promise<void>;
  keepPlan(plan: Plan): Promise<void>;
  /** A line for people, redacted: may be kept late, and not at all when there are too many. */
  line(step: StepKey, stream: LineStream, text: string): void;
}

/** What another run did, for one that takes it back. */
export interface Original {
  readonly id: string;
  readonly plan: Plan | null;
  readonly steps: readonly StepRecord[];
}

export interface ExecutionPorts {
  readonly recorder: Recorder;
  readonly readers: Readers;
  /** What they start is in the record of the step that asked for it. */
  writers(programs: Programs): Writers;
  readonly shell: Shell;
  readonly stop: Pick<StopSwitchPort, "read">;
  redact(text: string): string;
  /** After the plan and before the first act. Throws `RunParked` when people must agree first, or `RunStopped`. */
  gate(plan: Plan): Promise<void>;
  /** Null: this run takes nothing back but what it did itself. */
  readonly original: Original | null;
  /** The runbook is no longer the one that the run was asked of: it may look, and no more. */
  readonly isSuccessor?: boolean;
  now(): Date;
  /** Resolves after `ms` or when the signal aborts; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** What a finished step answered. */
export interface Answered {
  readonly name: string;
  readonly answer: Answer;
}

export interface Execution extends ExecutionPorts {
  readonly run: Run;
  readonly runbook: Runbook;
  /** Aborted with a `RunStopped` when the run has to end, with anything else when we have to let go of it. */
  readonly signal: AbortSignal;
  /** The same without cancellation and deadline: what takes back and what looks goes on after those. */
  readonly letGo: AbortSignal;
  readonly before: readonly StepRecord[];
  /** In the order of the steps. */
  readonly answers: Answered[];
}

/** Everything that a step of a changing runbook may touch. */
export function contextFor(
  execution: Execution,
  step: StepKey,
  plan: Plan,
  transcript: Transcript,
): ActContext<JsonObject> {
  const { run, signal, readers, answers } = execution;
  const writers = execution.writers(recordedPrograms(execution, step, transcript));
  return {
    runId: run.id,
    params: run.params,
    signal,
    now: execution.now,
    wait: async (ms) => {
      await execution.sleep(ms, signal);
      signal.throwIfAborted();
    },
    runtime: { ...readers.runtime, ...writers.runtime },
    database: { ...readers.database, ...writers.database },
    system: { ...readers.system, ...writers.system },
    workload: readers.workload,
    aws: { ...readers.aws, ...writers.aws },
    shell: recordedShell(execution, step, transcript),
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

/** As it may be kept and shown; `value` is what later steps work with, and stays. */
export function redactAnswer({ redact }: Pick<Execution, "redact">, answer: Answer): Answer {
  const { text, table } = answer;
  if (!table) return { ...answer, text: redact(text) };
  const rows = table.rows.map((row) => row.map((cell) => redact(cell)));
  return { ...answer, text: redact(text), table: { ...table, rows } };
}

/** As it may be kept and shown; `facts` are what the steps work with, and stay. */
export function redactPlan({ redact }: Pick<Execution, "redact">, plan: Plan): Plan {
  return {
    ...plan,
    text: redact(plan.text),
    changes: plan.changes.map((change) => redact(change)),
  };
}

export function toAnswer(result: Json): Answer {
  return isJsonObject(result) && typeof result.text === "string"
    ? (result as unknown as Answer)
    : { text: "" };
}
