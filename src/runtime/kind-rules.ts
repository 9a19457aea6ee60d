/** How each kind runs: the public ones as the policy says, the internal ones as said here (design 8.3). */
import { assert } from "../base/assert.js";
import { HOUR_MS, MINUTE_MS } from "../base/duration.js";
import type { PolicySet, WorkerKind } from "../policy/policy.js";

export interface KindRules extends Omit<WorkerKind, "kind" | "target"> {
  /**
   * Milliseconds for which a job that ran when its worker died keeps others of that sort waiting, so that the next
   * death names the culprit (docs/decisions/0022-who-is-charged-with-a-death.md). Absent: until it has ended.
   */
  readonly suspectMs?: number;
}

/** The internal lane is not tuned by policy: what heals must not depend on what may be mistuned. */
const ALWAYS = {
  enabled: true,
  concurrency: 10,
  globalMax: null,
  rateLimit: null,
  priority: 10,
} as const;

/**
 * Runs at once in one executor. A run mostly waits (for its job, a program, a deadline), so that neither the process
 * nor its pool of 20 (HB-env-02) is what bounds it, but sessions of the server: each run may open two of its own beside
 * the pool (executor/role-sessions.ts), so these are 40, and with five pools of 20 they fit under the 200 of the embedded
 * server. On a smaller one a run borrows a session of the pool.
 */
const RUNS_AT_ONCE = 20;
/**
 * Runs may take hours: after the death of their executor all go on within their leases or soon after, not each when the
 * one before has ended. What kills an executor does so when it begins again.
 */
const SUSPECT_RUN_MS = 1_500;

const INTERNAL: Readonly<Record<string, KindRules>> = {
  // A run has its own deadline, and its job outlasts it, with what it takes back.
  runbook: {
    ...{ ...ALWAYS, concurrency: RUNS_AT_ONCE, suspectMs: SUSPECT_RUN_MS },
    ...{ timeoutMs: 4 * HOUR_MS, attemptsMax: 5 },
  },
  // A receiver that is away burns no attempt (docs/decisions/0008-an-absent-receiver-burns-no-attempt.md): these are for our own failures.
  notice: { ...ALWAYS, timeoutMs: MINUTE_MS / 2, attemptsMax: 50 },
  inbound: { ...ALWAYS, timeoutMs: MINUTE_MS, attemptsMax: 10 },
};

/** Every kind that is registered has rules: `policy check` demands the twelve, the rest are above. */
export function rulesOf(policy: PolicySet, kind: string): KindRules {
  const rules = INTERNAL[kind] ?? policy.workers[kind];
  assert(rules !== undefined, `kind "${kind}" has no rules in workers.yaml`);
  return rules;
}
