/**
 * What people are told of what the rules found: decisions to speak become notices of the outbox, in the transaction
 * that stores what was found, so that neither is without the other.
 */
import { type PlannedNotice, planNotices } from "../alert/plan-notices.js";
import { endRemovedRule, type RemovedRule } from "../alert/removed-rule.js";
import type { InstanceState, RuleState, Transition } from "../alert/state.js";
import type { AlertRule, PolicySet } from "../policy/policy.js";
import type { Sql } from "../store/database.js";
import { enqueueNotice, isNoticeTold } from "../store/notices.js";
import { ONCE_PER_MS } from "./notify.js";

export interface Found {
  readonly policy: PolicySet;
  /** Of the rules that were judged, by name, after the step. */
  readonly states: ReadonlyMap<string, RuleState>;
  readonly transitions: readonly Transition[];
  /** Rules that left the policies. */
  readonly removed: readonly RemovedRule[];
  /** The tick. */
  readonly now: Date;
}

export interface Spoken {
  /** The same states, with the memory of what was told. */
  readonly states: ReadonlyMap<string, RuleState>;
  /** For the log. */
  readonly notices: readonly Pick<PlannedNotice, "receiver" | "dedupKey" | "action" | "reason">[];
}

export type Speak = (tx: Sql, found: Found) => Promise<Spoken>;

export function createSpeak(): Speak {
  return async (tx, found) => {
    const notices = found.removed.flatMap((removed) => endRemovedRule(removed).notices);
    const states = new Map<string, RuleState>();
    for (const [name, state] of found.states) {
      const rule = found.policy.alerts.find((one) => one.name === name);
      states.set(name, rule ? planRule(rule, state, found, notices) : state);
    }
    for (const notice of notices) await tellOnce(tx, notice, found.now);
    return { states, notices };
  };
}

function planRule(
  rule: AlertRule,
  state: RuleState,
  { policy, now }: Found,
  notices: PlannedNotice[],
): RuleState {
  const tick = new Date(Math.floor(now.getTime() / rule.everyMs) * rule.everyMs);
  const told = Object.entries(state).map(([instance, one]): [string, InstanceState] => {
    const plan = planNotices({ rule, instance, state: one, policy, now: tick });
    notices.push(...plan.notices);
    return [instance, plan.state];
  });
  return Object.fromEntries(told);
}

/** Safe mode and what the watchdog sees are said at once, under the key of their rule: then the rule need not. */
async function tellOnce(tx: Sql, notice: PlannedNotice, now: Date): Promise<void> {
  const since = new Date(now.getTime() - ONCE_PER_MS);
  const isFirstOrLast = notice.reason === "first-notification" || notice.reason === "resolved";
  if (isFirstOrLast && (await isNoticeTold(tx, notice, since))) return;
  await enqueueNotice(tx, notice);
}
