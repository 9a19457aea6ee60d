/**
 * Healdec: what happens to a job whose handler failed or whose worker died. One pure decision with a
 * name; the runtime carries it out in one transaction (HB-heal-01…12, X-16, X-17).
 */
import { assert, unreachable } from "../base/assert.js";
import type { BackoffPolicy } from "../base/backoff.js";
import type { Fault, HealingFaultKind, HealingStrategy } from "../base/fault.js";
import { nextRetry, nextVisit } from "./retry.js";

/** What healing needs of the policy; `policy.healing` fits. */
export interface HealingRules {
  readonly enabled: boolean;
  readonly backoff: BackoffPolicy;
  readonly strategies: Readonly<Record<HealingFaultKind, HealingStrategy>>;
  readonly crashMax: number;
}

/** What healing needs of the kind's policy; `policy.workers[kind]` fits. */
export interface AttemptRules {
  readonly attemptsMax: number;
}

export interface FailedJob {
  /** 1 for the first try. */
  readonly attempt: number;
  /** How often a worker died under this job, this time included. */
  readonly crashCount: number;
}

export type HealingReason =
  | "retry-with-backoff"
  | "restart-elsewhere"
  | "waits-for-dependency"
  | "attempts-exhausted"
  | "kills-its-workers"
  | "bad-data"
  | "half-done"
  | "critical"
  | "asked-wrongly"
  | "healing-disabled";

export type Settle =
  | {
      readonly move: "reschedule";
      /** By this process's clock; the delay counts. */
      readonly at: Date;
      readonly delayMs: number;
      readonly burnAttempt: boolean;
      readonly error: string;
    }
  | { readonly move: "fail" | "quarantine"; readonly error: string }
  /** Declared compensations in reverse, then failed (HB-heal-04). */
  | { readonly move: "rollback"; readonly error: string };

/** One row of healdec_log (HB-heal-09). */
export interface HealingAction {
  readonly failureType: HealingFaultKind;
  readonly strategy: HealingStrategy;
  readonly attemptNumber: number;
  /** Null until the next attempt, or the rollback, has ended. */
  readonly success: boolean | null;
  readonly operatorNotified: boolean;
  readonly context: {
    readonly error: string;
    readonly backoff_ms: number | null;
    readonly next_retry_at: string | null;
  };
}

export interface HealingDecision {
  readonly reason: HealingReason;
  readonly settle: Settle;
  readonly action: HealingAction | null;
  /** Who is told: the operators' channel, or whoever is on call. */
  readonly notify: "operator" | "critical" | null;
  readonly entersSafeMode: boolean;
}

export interface HealingInput {
  readonly fault: Fault;
  readonly job: FailedJob;
  readonly healing: HealingRules;
  readonly kind: AttemptRules;
  readonly now: Date;
  /** In [0, 1). */
  readonly random: number;
  /** Of the worker that ran it, when that is what happened. */
  readonly death?: WorkerDeath;
  /** What died was its rollback: that is finished first, whatever the policy says of crashes. */
  readonly rollsBack?: boolean;
}

/** What is known of the death of a worker, as far as it speaks for or against one of its jobs. */
export interface WorkerDeath {
  /** The job may have caused it; the others had merely been running beside the one that did. */
  readonly isCharged: boolean;
  /** Workers that died lately without this job: then deaths do not follow it. */
  readonly otherDeaths: number;
}

/** Several jobs that kill their workers are a storm to one another: one that is charged so many times as often gets no excuse. */
const STORM_EXCUSES = 3;
/** Longer texts are cut: the error column is for people, not for core dumps. */
const ERROR_LENGTH_MAX = 2_000;

export function decideHealing(input: HealingInput): HealingDecision {
  const { fault, healing } = input;
  if (fault.kind === "waiting") return comeBackLater(input);
  if (fault.kind === "refused") return giveUp(input, "asked-wrongly");
  if (!healing.enabled) return giveUp(input, "healing-disabled");
  const strategy = input.rollsBack ? "restart" : healing.strategies[fault.kind];
  switch (strategy) {
    case "retry":
      return retry(input, fault.kind);
    case "restart":
      return restart(input, fault.kind);
    case "quarantine":
      return quarantine(input, fault.kind, "bad-data");
    case "rollback":
      return rollback(input, fault.kind);
    case "escalate":
      return escalate(input, fault.kind);
    default:
      return unreachable(strategy);
  }
}

/** the dependency named a time, so neither an attempt nor a healing action is spent. */
function comeBackLater(input: HealingInput): HealingDecision {
  const next = nextVisit({
    now: input.now,
    retryAfterMs: input.fault.retryAfterMs,
    random: input.random,
  });
  return {
    reason: "waits-for-dependency",
    settle: { move: "reschedule", ...next, burnAttempt: false, error: errorText(input.fault) },
    action: null,
    notify: null,
    entersSafeMode: false,
  };
}

function retry(input: HealingInput, failureType: HealingFaultKind): HealingDecision {
  if (input.job.attempt >= input.kind.attemptsMax) return giveUp(input, "attempts-exhausted");
  const next = nextRetry({
    now: input.now,
    attempt: input.job.attempt,
    backoff: input.healing.backoff,
    random: input.random,
    retryAfterMs: input.fault.retryAfterMs,
  });
  return runAgain(input, failureType, "retry", "retry-with-backoff", next);
}

/** HB-heal-02: at once on another worker; what kills its workers again and again is set aside. */
function restart(input: HealingInput, failureType: HealingFaultKind): HealingDecision {
  const { death, job, healing } = input;
  const isStorm =
    death !== undefined &&
    death.otherDeaths >= healing.crashMax &&
    job.crashCount < healing.crashMax * STORM_EXCUSES;
  if (job.crashCount >= healing.crashMax && death?.isCharged !== false && !isStorm) {
    return quarantine(input, failureType, "kills-its-workers");
  }
  const next = { at: input.now, delayMs: 0 };
  // What it did not cause costs it nothing; and a rollback is no attempt.
  if (input.rollsBack || (death && (!death.isCharged || isStorm))) {
    return runAgain(input, failureType, "restart", "restart-elsewhere", next, false);
  }
  if (job.attempt >= input.kind.attemptsMax) return giveUp(input, "attempts-exhausted");
  return runAgain(input, failureType, "restart", "restart-elsewhere", next);
}

function runAgain(
  input: HealingInput,
  failureType: HealingFaultKind,
  strategy: HealingStrategy,
  reason: HealingReason,
  next: { readonly at: Date; readonly delayMs: number },
  burnAttempt = true,
): HealingDecision {
  const error = errorText(input.fault);
  return {
    reason,
    settle: { move: "reschedule", ...next, burnAttempt, error },
    action: {
      ...actionOf(input, failureType, strategy),
      context: { error, backoff_ms: next.delayMs, next_retry_at: next.at.toISOString() },
    },
    notify: null,
    entersSafeMode: false,
  };
}

/** HB-heal-03: set aside until a person corrects or cancels it. */
function quarantine(
  input: HealingInput,
  failureType: HealingFaultKind,
  reason: HealingReason,
): HealingDecision {
  return {
    reason,
    settle: { move: "quarantine", error: errorText(input.fault) },
    action: {
      ...actionOf(input, failureType, "quarantine"),
      success: true,
      operatorNotified: true,
    },
    notify: "operator",
    entersSafeMode: false,
  };
}

/** Of a rollback that began under a worker which is dead by now: what was decided then stands, whatever the policy says today. */
export function resumeRollback(cause: Fault, job: FailedJob): HealingDecision {
  const { kind } = cause;
  assert(kind !== "waiting" && kind !== "refused", `a fault of kind ${kind} is never rolled back`);
  return rollback({ fault: cause, job }, kind);
}

type Failure = Pick<HealingInput, "fault" | "job">;

function rollback(input: Failure, failureType: HealingFaultKind): HealingDecision {
  return {
    reason: "half-done",
    settle: { move: "rollback", error: errorText(input.fault) },
    action: actionOf(input, failureType, "rollback"),
    notify: null,
    entersSafeMode: false,
  };
}

/** HB-heal-05: the page and safe mode are written with the settle, so the action has happened. */
function escalate(input: HealingInput, failureType: HealingFaultKind): HealingDecision {
  return {
    reason: "critical",
    settle: { move: "fail", error: errorText(input.fault) },
    action: {
      ...actionOf(input, failureType, "escalate"),
      success: true,
      operatorNotified: true,
    },
    notify: "critical",
    entersSafeMode: true,
  };
}

function giveUp(input: HealingInput, reason: HealingReason): HealingDecision {
  return {
    reason,
    settle: { move: "fail", error: errorText(input.fault) },
    action: null,
    notify: null,
    entersSafeMode: false,
  };
}

function actionOf(
  input: Failure,
  failureType: HealingFaultKind,
  strategy: HealingStrategy,
): HealingAction {
  return {
    failureType,
    strategy,
    attemptNumber: input.job.attempt,
    success: null,
    operatorNotified: false,
    context: { error: errorText(input.fault), backoff_ms: null, next_retry_at: null },
  };
}

/** `CODE: sentence`: the code is what people search for. */
function errorText(fault: Fault): string {
  return storableError(`${fault.code}: ${fault.message}`);
}

/** Cut, and without what neither a text nor a jsonb column can hold: U+0000, and halves of characters, also those of the cut. */
export function storableError(text: string): string {
  return text
    .replaceAll("\u0000", "")
    .slice(0, ERROR_LENGTH_MAX)
    .replace(/\p{Surrogate}/gu, "");
}
