/** How each kind runs: the public ones as the policy says, the internal ones as said here (design 8.3). */
import { assert } from "../base/assert.js";
import type { PolicySet } from "../policy/policy.js";

export interface KindRules {
  readonly enabled: boolean;
  readonly concurrency: number;
  readonly globalMax: number | null;
  readonly priority: number;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
}

/**
 * The internal lane is not tuned by policy: what heals must not depend on what may be mistuned. Notices
 * are tried for hours (backoff cap 5 min), since their receiver may be what is down. A runbook run has
 * its own deadline per phase; its job outlasts them.
 */
const INTERNAL: Readonly<Record<string, KindRules>> = {
  runbook: {
    enabled: true,
    concurrency: 10,
    globalMax: null,
    priority: 10,
    timeoutMs: 3_600_000,
    attemptsMax: 5,
  },
  notice: {
    enabled: true,
    concurrency: 10,
    globalMax: null,
    priority: 10,
    timeoutMs: 30_000,
    attemptsMax: 50,
  },
  inbound: {
    enabled: true,
    concurrency: 10,
    globalMax: null,
    priority: 10,
    timeoutMs: 60_000,
    attemptsMax: 10,
  },
};

/** Every kind that is registered has rules: `policy check` demands the twelve, the rest are above. */
export function rulesOf(policy: PolicySet, kind: string): KindRules {
  const rules = INTERNAL[kind] ?? policy.workers[kind];
  assert(rules !== undefined, `kind "${kind}" has no rules in workers.yaml`);
  return rules;
}
