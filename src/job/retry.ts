/** When a job runs again. Time and randomness are arguments, so that a table can test it. */
import { type BackoffPolicy, backoffMs } from "../base/backoff.js";
import { DAY_MS } from "../base/duration.js";

/** What a fault that names no time waits. */
const WAIT_DEFAULT_MS = 30_000;
/** A dependency that says "come back at once" is not asked in a tight loop. */
const WAIT_MIN_MS = 1_000;
/** Whatever time a dependency names, it is asked again after a day; what is no time counts as none. */
const NAMED_MAX_MS = DAY_MS;
/** All who wait for one gate would come back in the same instant: they are spread over this share of their wait. */
const SPREAD_SHARE = 0.1;
const SPREAD_MAX_MS = 60_000;

export interface NextTry {
  readonly at: Date;
  readonly delayMs: number;
}

/**
 * After a failed attempt (1-based): about 2, 4, 8 s… with the handbook's base of 1 s, jitter and cap
 * (HB-heal-08), but never sooner than the dependency asked for.
 */
export function nextRetry(input: {
  readonly now: Date;
  readonly attempt: number;
  readonly backoff: BackoffPolicy;
  /** In [0, 1). */
  readonly random: number;
  readonly retryAfterMs?: number | undefined;
}): NextTry {
  const plainMs = backoffMs(input.backoff, input.attempt, input.random);
  return after(input.now, Math.max(plainMs, named(input.retryAfterMs) ?? 0));
}

/** For a `waiting` fault: when the dependency said or a little later, never sooner, no attempt burnt. */
export function nextVisit(input: {
  readonly now: Date;
  readonly retryAfterMs?: number | undefined;
  /** In [0, 1): where in the spread; 0, the default, is its beginning. */
  readonly random?: number | undefined;
}): NextTry {
  const { now, retryAfterMs, random = 0 } = input;
  const waitMs = Math.max(named(retryAfterMs) ?? WAIT_DEFAULT_MS, WAIT_MIN_MS);
  const spreadMs = Math.min(waitMs * SPREAD_SHARE, SPREAD_MAX_MS);
  return after(now, waitMs + Math.floor(random * spreadMs));
}

function named(ms: number | undefined): number | undefined {
  return ms === undefined || Number.isNaN(ms) ? undefined : Math.min(ms, NAMED_MAX_MS);
}

function after(now: Date, delayMs: number): NextTry {
  return { at: new Date(now.getTime() + delayMs), delayMs };
}
