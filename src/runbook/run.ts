/** What a run and its steps are, and how a run ends. One word a state, the same as in the database. */
import type { Json, JsonObject } from "../base/json.js";
import type { MessageTable } from "../message/message.js";
import type { Door, Role } from "../policy/policy.js";
import type { Plan } from "./define.js";

export const RUN_STATUSES = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "stalled",
  "cancelled",
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];
export type FinalRunStatus = Exclude<RunStatus, "queued" | "running">;

export function isFinal(status: RunStatus): status is FinalRunStatus {
  return status !== "queued" && status !== "running";
}

/** Where the one living message of a run is, or is to be: without `ts` it was not posted yet. */
export interface ChatPlace {
  readonly channel: string;
  readonly ts: string | null;
}

export interface RunOutput {
  readonly text: string;
  readonly table?: MessageTable;
}

export interface Run {
  readonly seq: number;
  readonly id: string;
  readonly runbook: string;
  readonly params: JsonObject;
  readonly actor: string;
  readonly role: Role;
  readonly door: Door;
  readonly reason: string | null;
  readonly dryRun: boolean;
  readonly contentHash: string;
  readonly status: RunStatus;
  readonly plan: Plan | null;
  readonly outcome: string | null;
  readonly output: RunOutput | null;
  readonly automation: string | null;
  readonly incidentId: string | null;
  readonly alertLevel: string | null;
  readonly chat: ChatPlace | null;
  /** Grows when an executor takes the run: what an earlier one still writes changes nothing. */
  readonly fence: number;
  readonly requestedAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** Of the repository of the runbooks, when it was asked for; null: not known. */
  readonly commit: string | null;
  /** What no other run may touch meanwhile, sorted. */
  readonly targets: readonly string[];
  /** Who of access.yaml asked; null: a service, or nobody we know. */
  readonly person: string | null;
  readonly waitingFor: "approval" | null;
  /** SHA-256 of what people agree to: commit, runbook, parameters, plan, targets. */
  readonly boundHash: string | null;
  /** The run that this one takes back. */
  readonly undoOf: number | null;
  readonly undone: Undone | null;
  /** Null: it has nothing to verify, or never came to it. */
  readonly verified: boolean | null;
  /** `incident:Q1…`, `alert:AR-06/instance`, `api:<subject>/<key>`. */
  readonly causeKey: string | null;
  /** Runs of ours on the way to this cause. */
  readonly causeDepth: number;
  readonly isDrill: boolean;
  readonly deadlineAt: Date | null;
  /** Until then its executor holds it; null: nobody does. */
  readonly leaseUntil: Date | null;
  readonly jobSeq: number | null;
}

export type Undone = "complete" | "failed";

const PHASES = ["plan", "act", "verify", "undo"] as const;
export type Phase = (typeof PHASES)[number];
export type StepStatus = "running" | "succeeded" | "failed" | "indeterminate";

export interface StepKey {
  readonly phase: Phase;
  readonly ordinal: number;
  readonly name: string;
  /** In the phase undo: ordinal of the step that is taken back. */
  readonly undoes?: number | undefined;
}

export interface StepRecord extends StepKey {
  readonly status: StepStatus;
  /** Commands, their redacted output, and what the step said. */
  readonly output: string;
  readonly result: Json;
  readonly error: string | null;
}

export interface StepEnding {
  readonly status: Exclude<StepStatus, "running">;
  readonly output: string;
  readonly result?: Json;
  readonly error?: string;
  /** Who ended its last program; null: it ran none. */
  readonly endedBy?: "exit" | "timeout" | "abort" | null;
}

export interface RunEnding {
  readonly status: FinalRunStatus;
  /** One sentence for people. */
  readonly outcome: string;
  readonly output: RunOutput | null;
  readonly verified?: boolean | undefined;
  readonly undone?: Undone | undefined;
}

export interface RunLine {
  /** From 1, without gaps but for what was too much to keep. */
  readonly lineNo: number;
  readonly at: Date;
  readonly phase: Phase;
  readonly ordinal: number;
  readonly stream: "say" | "cmd" | "out" | "err";
  /** Decoded, redacted, capped. */
  readonly text: string;
}

/**
 * What a new run is pinned to. With the version of the engine, so that an executor of the previous one, which
 * knows no approvals and no bounded power, finds it changed and does nothing.
 */
export function pinOf(contentHash: string): string {
  return `2:${contentHash}`;
}

/** SHA-256 of the file that a run is pinned to; runs of the previous version are pinned to it alone. */
export function digestOf(pin: string): string {
  return pin.replace(/^2:/, "");
}

/** Thrown when a run begins to wait for people: its job ends, nothing failed. */
export class RunParked extends Error {
  override readonly name = "RunParked";
}

/** Why a run stops before its end. Carried as the reason of the abort signal, or thrown. */
export class RunStopped extends Error {
  override readonly name = "RunStopped";
  readonly status: FinalRunStatus;
  /** False: it was looked whether it helped, and it did not. */
  readonly verified: boolean | undefined;

  constructor(
    status: FinalRunStatus,
    outcome: string,
    options: { readonly verified?: boolean } = {},
  ) {
    super(outcome);
    this.status = status;
    this.verified = options.verified;
  }
}
