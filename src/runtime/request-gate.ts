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
  const pace = createPace(deps);
  /** Refusals that could not be told while the database was away: first of all when it is back. Each was under way. */
  const untold = new Set<Ended>();
  return {
    take: async (signal) => {
      await pace(signal);
      const scope = await scopeOf(signal);
      for (const ended of untold) {
        await tell(ended, deps);
        untold.delete(ended);
      }
      const permit = await takeWithin(scope, deps, signal);
      return async (seen) => {
        const ended = { scope, permit, seen };
        try {
          await tell(ended, deps);
        } catch (error) {
          // The answer is there all the same. A refusal must not be forgotten; what else it says the next answer says too.
          if (seen?.refusal) untold.add(ended);
          deps.log.warn("github.budget-not-told", { error: errorMessage(error) });
        }
      };
    },
  };
}

interface Ended {
  readonly scope: string;
  readonly permit: number;
  readonly seen: SeenLimits | null;
}

function tell({ scope, permit, seen }: Ended, { db }: RequestGateDeps): Promise<void> {
  return db.transaction((tx) => endPermit(tx, scope, permit, seen));
}

/** Spreads the requests of this process: a burst is what secondary limits are against. */
function createPace(deps: RequestGateDeps): (signal: AbortSignal) => Promise<void> {
  const { clock, rules } = deps;
  let nextAtMs = Number.NEGATIVE_INFINITY;
  return async (signal) => {
    const nowMs = clock.now().getTime();
    const stepMs = 1_000 / rules().perSecond;
    // Never further ahead than patience and one step, unless the clock was set back meanwhile.
    const aheadMs = nextAtMs - nowMs;
    const waitMs = aheadMs > PATIENCE_MS + stepMs ? 0 : Math.max(0, aheadMs);
    // A wait of ours must not look like a GitHub that is slow: the job goes back into the queue.
    if (waitMs > PATIENCE_MS) throw refusal({ ok: false, why: "busy", waitMs: null }, deps);
    nextAtMs = nowMs + waitMs + stepMs;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
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
