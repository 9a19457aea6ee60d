/**
 * What a runbook file is made of: data plus small steps. Everything a runbook may touch is handed in, so
 * it is recorded, bounded, redacted and replaceable; a runbook imports this file, followed-job, and what stands in aws/.
 */

import type { Static, TObject } from "typebox";
import type { Json, JsonObject } from "../base/json.js";
import { Type } from "../base/type.js";
import { type JobStatus, parseJobId } from "../job/job.js";
import { PUBLIC_KINDS } from "../job/kinds.js";
import { mayMove } from "../job/transition.js";
import type { MessageTable } from "../message/message.js";
import type { Danger } from "../policy/policy.js";
import { SEVERITIES } from "../policy/policy.js";
import type { SessionView } from "./database-port.js";
import type { Readers, ShellResult, Writers } from "./port.js";
import { TOUCHES_NOTHING, type Touches } from "./power.js";

export { PUBLIC_KINDS, SEVERITIES, Type };

/** A parameter that names a job: `job-123`, or just its number. */
export const JobId = Type.String({
  pattern: "^(job-)?[1-9][0-9]{0,15}$",
  description: "a job id such as job-123",
});

/** A parameter that names a repository, as `WorkloadReader.repo` finds one; never an option of a program. */
export const RepoName = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: "^[^-\\s][^\\s]*$",
  description: "id, org/name or name of a repository",
});

/** A parameter that says how long: `30m`, `1h30m`. */
export const DurationText = Type.String({
  pattern: "^([0-9]+(ms|s|m|h|d|w))+$",
  description: "a duration such as 30m or 1h30m",
});

/** The key of the job that a `JobId` names. */
export function jobSeq(text: string): number {
  const seq = parseJobId(text.startsWith("job-") ? text : `job-${text}`);
  if (seq === null) throw new Error(`"${text}" passed the schema and is no job id`);
  return seq;
}

/** Whether a job in this status may be run again; a running one only with force. */
export function mayRerun(status: JobStatus, force: boolean): boolean {
  return mayMove("requeue", status) || (force && mayMove("reset", status));
}

/**
 * The database ends none of these, whatever is asked: who listens and beats for its process, runbooks, backups.
 * `control.end_session` has the same words, and a house test holds them together.
 */
export const NEEDED_SESSIONS =
  /^algobrain-(listener|heartbeat|executor|run|worker-executor|backup|migrate)/;

/** A session of ours that may be ended: for longer than `idleMs` it did nothing, and it is in no transaction. */
export function isIdleSession(session: SessionView, idleMs: number): boolean {
  const { ours, state, stateMs, transactionMs, application } = session;
  const isFree = state === "idle" && transactionMs === null && (stateMs ?? 0) > idleMs;
  return ours && isFree && !NEEDED_SESSIONS.test(application);
}

/** What would happen, before anything does: this is what people read and, one day, approve. */
export interface Plan {
  /** What was found and what follows from it, in plain sentences. */
  readonly text: string;
  /** One line a change; none: the runbook only looks. */
  readonly changes: readonly string[];
  /** What the steps need to know of the findings; kept with the run, so a resumed run acts on the same. */
  readonly facts?: JsonObject;
  /** Set by the engine, whatever a runbook says. */
  readonly maker?: PlanMaker;
}

/** Digests of the definition that made a plan (see `succession.ts`). */
export interface PlanMaker {
  /** Of what it may touch. */
  readonly powers: string;
  /** Of the way back of each step, in their order. */
  readonly waysBack: readonly string[];
}

export interface Answer {
  readonly text: string;
  readonly table?: MessageTable;
  /** For later steps. */
  readonly value?: Json;
}

export interface Verdict {
  readonly state: "passed" | "waiting" | "failed";
  /** One sentence with the figures that decided. */
  readonly text: string;
}

/** Only programs that are known to change nothing: see `recorded-shell.ts`. */
export interface ReadingShell {
  read(argv: readonly string[], options?: { readonly timeoutMs?: number }): Promise<ShellResult>;
}

export interface WritingShell extends ReadingShell {
  run(argv: readonly string[], options?: { readonly timeoutMs?: number }): Promise<ShellResult>;
}

export interface ReadContext<P> {
  readonly runId: string;
  readonly params: P;
  /** Aborted by cancellation, the runbook's deadline and shutdown. */
  readonly signal: AbortSignal;
  now(): Date;
  /** Resolves after so many milliseconds; rejects when the run has to end before. */
  wait(ms: number): Promise<void>;
  readonly runtime: Readers["runtime"];
  readonly database: Readers["database"];
  readonly system: Readers["system"];
  readonly workload: Readers["workload"];
  readonly aws: Readers["aws"];
  readonly shell: ReadingShell;
  /** A line of progress: kept with the step and shown in the living message. */
  say(line: string): void;
}

export interface PlannedContext<P> extends ReadContext<P> {
  readonly plan: Plan;
  /** What a finished step of this run gave as `value`. */
  resultOf(stepName: string): Json | undefined;
}

export interface ActContext<P> extends PlannedContext<P> {
  readonly runtime: Readers["runtime"] & Writers["runtime"];
  readonly database: Readers["database"] & Writers["database"];
  readonly system: Readers["system"] & Writers["system"];
  readonly aws: Readers["aws"] & Writers["aws"];
  readonly shell: WritingShell;
}

/** A runbook that only reads is never handed anything that writes. */
export type StepContext<D extends Danger, P> = D extends "R" ? PlannedContext<P> : ActContext<P>;

/**
 * What to do with a step whose process died before its result was written: do it again, ask `check`
 * whether it took effect, or never repeat it blindly but stop and ask a person.
 */
export type Repeat<P> =
  | "safe"
  | "never"
  | { check(context: PlannedContext<P>): Promise<"done" | "not-done" | "unknown"> };

/** How a step is taken back. */
export interface Undo<P> {
  /** Words for the record, e.g. `resume the queue`. */
  readonly name: string;
  readonly repeat: Repeat<P>;
  /** `done`: what the step gave as `value`. */
  run(context: ActContext<P> & { readonly done: Json | undefined }): Promise<Answer | string>;
}

/** Takes back that a job was set to pending: what has begun is left to its worker. */
export const CANCEL_UNLESS_BEGUN: Undo<{ job: string }> = {
  name: "cancel it unless it has begun",
  repeat: "safe",
  run: async ({ params, runtime, runId }) => {
    const job = await runtime.job(jobSeq(params.job));
    if (job?.status !== "pending" || job.attempts > 0)
      return `left as it is: job-${jobSeq(params.job)} is ${job?.status ?? "gone"}`;
    await runtime.cancelJob({ seq: job.seq, reason: `taken back by ${runId}` });
    return `${job.id} is cancelled`;
  },
};

export interface Step<D extends Danger, P> {
  /** Words that a sleepy person understands; unique in the runbook. */
  readonly name: string;
  readonly repeat: Repeat<P>;
  /** It only looks: it is handed nothing that writes, so that a later definition may take it (see `succession.ts`). */
  readonly looks?: true;
  /** Milliseconds for one try; by default what is left of the run. */
  readonly timeoutMs?: number;
  run(context: StepContext<D, P>): Promise<Answer | string>;
  /** Of what changes something. `never` says why not, and is shown before anyone agrees. */
  readonly undo?: Undo<P> | { readonly never: string };
}

/**
 * Known from `params` alone. Without NoInfer the compiler looks for S in it too, compares one open `Static<S>` with
 * another, and needs a second for it.
 */
type ParamsOf<S extends TObject> = NoInfer<Static<S>>;

export interface Definition<D extends Danger, S extends TObject> {
  readonly name: string;
  /** Short forms, e.g. `rerun` for `rerun-job`. */
  readonly aliases?: readonly string[];
  /** One sentence for lists and help. */
  readonly title: string;
  /** R only reads, V changes something that can be changed back, D destroys. */
  readonly danger: D;
  readonly params: S;
  /** Parameters that may be given without their names, in this order; the last takes the rest of the line. */
  readonly positional?: readonly (keyof ParamsOf<S> & string)[];
  /** Targets that no other run may touch meanwhile, e.g. `job-123`. */
  locks?(params: ParamsOf<S>): string[];
  /** Milliseconds for the whole run, from its start. */
  readonly timeoutMs: number;
  /** Changes nothing. Throws a refused fault when the request makes no sense. */
  plan(context: ReadContext<ParamsOf<S>>): Promise<Plan>;
  readonly steps: readonly Step<D, ParamsOf<S>>[];
  /** Decides success: that the steps ended without an error does not. */
  readonly verify?: {
    /** What is still waiting then has failed. */
    withinMs(params: ParamsOf<S>): number;
    readonly everyMs: number;
    check(context: PlannedContext<ParamsOf<S>>): Promise<Verdict>;
  };
  /** The next command to type when it did not work out. */
  next?(params: ParamsOf<S>): string;
  /** What it may touch; by default nothing of the database and no program that changes anything. */
  readonly touches?: Touches;
  /** When another run holds a target: come back until the time-out (default), or say no at once, with the holder. */
  readonly whenLocked?: "wait" | "refuse";
  /** Taken back by itself when it could not be verified, was cancelled or ran out of time (default in V), or only when a person says so. */
  readonly undoOnFailure?: "always" | "asked";
  /** Targets that one run may have; default 1. */
  readonly targetsMax?: number;
  /** For its page: when to use it, and what to look at after. Markdown, two or three sentences. */
  readonly guide?: string;
}

/** A runbook whose parameter type is forgotten: how the registry and the executor see it. */
export interface Runbook {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly title: string;
  readonly danger: Danger;
  readonly params: TObject;
  readonly positional: readonly string[];
  locks(params: JsonObject): string[];
  readonly timeoutMs: number;
  plan(context: ReadContext<JsonObject>): Promise<Plan>;
  readonly steps: readonly Step<"V", JsonObject>[];
  readonly verify: Definition<"V", TObject>["verify"] | undefined;
  next(params: JsonObject): string | undefined;
  readonly touches: Touches;
  readonly whenLocked: "wait" | "refuse";
  readonly undoOnFailure: "always" | "asked";
  readonly targetsMax: number;
  readonly guide: string | undefined;
}

export function defineRunbook<const D extends Danger, S extends TObject>(
  definition: Definition<D, S>,
): Runbook {
  const names = definition.steps.map(({ name }) => name);
  if (new Set(names).size !== names.length)
    throw new Error(`runbook ${definition.name}: two steps have the same name`);
  // Parameters are checked against the schema before anything of the definition is called, so forgetting
  // their type here loses nothing.
  const erased = definition as unknown as Definition<"V", TObject>;
  return {
    name: definition.name,
    aliases: definition.aliases ?? [],
    title: definition.title,
    danger: definition.danger,
    params: definition.params,
    positional: definition.positional ?? [],
    locks: (params) => [...new Set(erased.locks?.(params) ?? [])].sort(),
    timeoutMs: definition.timeoutMs,
    plan: (context) => erased.plan(context),
    steps: erased.steps as readonly Step<"V", JsonObject>[],
    verify: erased.verify,
    next: (params) => erased.next?.(params),
    touches: definition.touches ?? TOUCHES_NOTHING,
    whenLocked: definition.whenLocked ?? "wait",
    undoOnFailure: definition.undoOnFailure ?? (definition.danger === "V" ? "always" : "asked"),
    targetsMax: definition.targetsMax ?? 1,
    guide: definition.guide,
  };
}
