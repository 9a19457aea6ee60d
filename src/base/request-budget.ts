/**
 * What is left of a foreign system's limit of requests, shared by all processes, and who may ask next. Pure:
 * the row that holds it, and its lock, are the store's matter.
 */
import { HOUR_MS } from "./duration.js";

export interface RequestBudget {
  /** Requests in a window. */
  readonly limit: number;
  /** As the other side last counted; those in flight are not taken off. */
  readonly remaining: number;
  /** When the limit is whole again; null: not known, or past. */
  readonly resetAt: Date | null;
  /** Nobody asks before. Past, but not null: nobody was answered well since, and one asks alone. */
  readonly gateUntil: Date | null;
  /** When the gate was closed last, or a request answered. */
  readonly updatedAt: Date;
}

export interface BudgetRules {
  /** Part of the limit that is left to people and their commands, in [0, 1): jobs stop there (AR-37). */
  readonly reserve: number;
  /** Requests at a time, over all processes. */
  readonly inFlight: number;
}

/** What an answer says of the limits. */
export interface SeenLimits {
  /** Of the window; null where the answer says nothing of it. */
  readonly window: {
    readonly limit: number;
    readonly remaining: number;
    readonly resetInMs: number;
  } | null;
  /** Set when the other side refused and asks all of us to wait. */
  readonly refusal: {
    readonly waitMs: number;
    /** False: it named no time, and `waitMs` is its general advice. */
    readonly isNamed: boolean;
  } | null;
  /** It did what it was asked, or refused that one thing: it may be asked again. */
  readonly isWell: boolean;
}

/** Lets one request through. To be told once how it went; null: there was no answer. */
export interface RequestGate {
  /** Throws a waiting Fault while nobody may ask, and a transient one when that cannot be known. */
  take(signal: AbortSignal): Promise<(seen: SeenLimits | null) => Promise<void>>;
}

export type RequestVerdict =
  | { readonly ok: true }
  /** `busy`: as many as may be are under way, and each of them may end at any moment. */
  | { readonly ok: false; readonly why: "busy" }
  | { readonly ok: false; readonly why: "gate" | "limit"; readonly until: Date };

/** Windows and waits of an hour are the longest there are: what names a later time is mistaken. */
const WAIT_MAX_MS = 2 * HOUR_MS;
/** A refusal that names no time, or one that is past by now, is none to come back at once for. */
const WAIT_MIN_MS = 1_000;
/** What a larger one means nobody knows. */
const LIMIT_MAX = 1_000_000_000;
/** Two resets that differ by less are the same one, seen by clocks of whole seconds. */
const SAME_RESET_MS = 5_000;

export function admitRequest(
  budget: RequestBudget,
  underWay: number,
  rules: BudgetRules,
  now: Date,
): RequestVerdict {
  const { limit, gateUntil } = budget;
  if (gateUntil !== null && gateUntil > now) return { ok: false, why: "gate", until: gateUntil };
  const mayFly = gateUntil === null ? rules.inFlight : 1;
  if (underWay >= mayFly) return { ok: false, why: "busy" };
  const { remaining, resetAt } = renewed(budget, now);
  if (remaining - underWay > rules.reserve * limit) return { ok: true };
  // Nobody knows when it is whole again: one request finds out.
  if (resetAt === null) return underWay === 0 ? { ok: true } : { ok: false, why: "busy" };
  return { ok: false, why: "limit", until: resetAt };
}

/** A window that is over has left nothing behind. */
export function renewed(budget: RequestBudget, now: Date): RequestBudget {
  if (budget.resetAt === null || budget.resetAt > now) return budget;
  return { ...budget, remaining: budget.limit, resetAt: null };
}

/** Answers may come in another order than they were given: within a window the least is right. */
export function afterAnswer(budget: RequestBudget, seen: SeenLimits, now: Date): RequestBudget {
  const counted = withWindow(renewed(budget, now), seen.window, now);
  return { ...counted, gateUntil: gateAfter(budget, seen, now), updatedAt: now };
}

function withWindow(budget: RequestBudget, window: SeenLimits["window"], now: Date): RequestBudget {
  if (window === null || window.resetInMs <= 0 || window.resetInMs > WAIT_MAX_MS) return budget;
  const { limit, remaining } = window;
  if (limit > LIMIT_MAX || remaining > limit) return budget;
  const seenReset = now.getTime() + window.resetInMs;
  const knownReset = budget.resetAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  if (seenReset > knownReset + SAME_RESET_MS) {
    return { ...budget, limit, remaining, resetAt: new Date(seenReset) };
  }
  return {
    ...budget,
    limit,
    remaining: Math.min(budget.remaining, remaining),
    // Never a moment too early.
    resetAt: new Date(Math.max(knownReset, seenReset)),
  };
}

function gateAfter(
  { gateUntil, updatedAt }: RequestBudget,
  { refusal, isWell }: SeenLimits,
  now: Date,
): Date | null {
  const isShut = gateUntil !== null && gateUntil > now;
  if (refusal === null) return isWell && !isShut ? null : gateUntil;
  const wishedMs = waitOf(refusal, gateUntil, updatedAt, isShut);
  const waitMs = Math.min(WAIT_MAX_MS, Math.max(WAIT_MIN_MS, wishedMs));
  const until = new Date(now.getTime() + waitMs);
  return isShut && gateUntil > until ? gateUntil : until;
}

/** Who is refused again by a limit that names no time waits twice as long (docs.github.com, "Best practices for using the REST API"). */
function waitOf(
  { waitMs, isNamed }: NonNullable<SeenLimits["refusal"]>,
  gateUntil: Date | null,
  updatedAt: Date,
  isShut: boolean,
): number {
  if (isNamed || isShut || gateUntil === null) return waitMs;
  return Math.max(waitMs, 2 * (gateUntil.getTime() - updatedAt.getTime()));
}
