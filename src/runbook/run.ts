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
}

const PHASES = ["plan", "act", "verify", "undo"] as const;
export type Phase = (typeof PHASES)[number];
export type StepStatus = "running" | "succeeded" | "failed" | "indeterminate";

export interface StepKey {
  readonly phase: Phase;
  readonly ordinal: number;
  readonly name: string;
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
}

export interface RunEnding {
  readonly status: FinalRunStatus;
  /** One sentence for people. */
  readonly outcome: string;
  readonly output: RunOutput | null;
}

/** Why a run stops before its end. Carried as the reason of the abort signal, or thrown. */
export class RunStopped extends Error {
  override readonly name = "RunStopped";
  readonly status: FinalRunStatus;

  constructor(status: FinalRunStatus, outcome: string) {
    super(outcome);
    this.status = status;
  }
}
