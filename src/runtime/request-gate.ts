/**
 * Stands before every request to GitHub, a page of a listing included: what the processes share says who may ask, and
 * each answer is told to all before the next may ask (X-16, docs/decisions/0056-a-permit-a-request.md).
 */

import type { Clock } from "../base/clock.js";
import { errorMessage, type Fault, fault } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { BudgetRules, RequestGate, SeenLimits } from "../base/request-budget.js";
import type { Database } from "../store/database.js";
import { endPermit, type Permit, takePermit } from "../store/github-budget.js";

export interface RequestGateDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** `github.workload` of the policy in force, read at each request. */
  readonly rules: () => BudgetRules & {
    /** Requests a second of this process. */
    readonly perSecond: number;
  };
}

/** How long a request waits for one of those under way before its job goes back into the queue. */
const PATIENCE_MS = 2_000;
const LOOK_MIN_MS = 25;
const LOOK_MAX_MS = 200;
/** Those who wait for a reset do not all come at once. */
const SPREAD_MS = 3_000;
const BUSY_RETRY_MS = 1_000;

/** `scopeOf` names the credential in use, never its secret: whoever asks with the same one shares its limit. */
export function createRequestGate(
  scopeOf: (signal: AbortSignal) => Promise<string>,
  deps: RequestGateDeps,
): RequestGate {
  let nextAtMs = Number.NEGATIVE_INFINITY;
  /** Spreads the requests of this process: a burst is what secondary limits are against. */
  const pace = async (signal: AbortSignal) => {
    const nowMs = deps.clock.now().getTime();
    const atMs = Math.max(nowMs, nextAtMs);
    nextAtMs = atMs + 1_000 / deps.rules().perSecond;
    if (atMs > nowMs) await deps.clock.sleep(atMs - nowMs, signal);
  };
  return {
    take: async (signal) => {
      await pace(signal);
      const scope = await scopeOf(signal);
      const permit = await takeWithin(scope, deps, signal);
      return (seen) => tell(scope, permit, seen, deps);
    },
  };
}

async function takeWithin(
  scope: string,
  deps: RequestGateDeps,
  signal: AbortSignal,
): Promise<number> {
  const { db, clock } = deps;
  const endsMs = clock.now().getTime() + PATIENCE_MS;
  for (let lookMs = LOOK_MIN_MS; ; lookMs = Math.min(2 * lookMs, LOOK_MAX_MS)) {
    if (signal.aborted) throw fault.transient("GITHUB_ABORTED", "its caller was stopped");
    const taken = await db.transaction((tx) => takePermit(tx, scope, deps.rules()));
    if (taken.ok) return taken.permit;
    if (taken.waitMs !== null || clock.now().getTime() >= endsMs) throw refusal(taken, deps);
    await clock.sleep(lookMs, signal);
  }
}

function refusal(refused: Permit & { ok: false }, { random }: RequestGateDeps): Fault {
  const spreadMs = random() * SPREAD_MS;
  if (refused.waitMs === null) {
    return fault.waiting(
      "GITHUB_RATE_LIMITED",
      "as many requests to GitHub are under way as may be",
      {
        retryAfterMs: BUSY_RETRY_MS + spreadMs,
      },
    );
  }
  const why =
    refused.why === "gate"
      ? "GitHub asked us to slow down"
      : "what jobs may use of GitHub's limit is used up";
  return fault.waiting("GITHUB_RATE_LIMITED", why, {
    retryAfterMs: refused.waitMs + spreadMs,
    // Only what GitHub itself asked for holds back those who do not take from this budget.
    asksAll: refused.why === "gate",
  });
}

/** The answer is there whatever becomes of this: with the database away nobody asks, and a refusal reaches the guard's gate. */
async function tell(
  scope: string,
  permit: number,
  seen: SeenLimits | null,
  { db, log }: RequestGateDeps,
): Promise<void> {
  try {
    await db.transaction((tx) => endPermit(tx, scope, permit, seen));
  } catch (error) {
    log.warn("github.budget-not-told", { error: errorMessage(error) });
  }
}
