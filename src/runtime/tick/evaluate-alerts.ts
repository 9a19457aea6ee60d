/** Looks each second whether a rule is due, and has it judged. Runs in every main process; one of them judges at a time. */
import type { Logger } from "../../base/log.js";
import type { AlertRule, PolicySet } from "../../policy/policy.js";
import { Evaluator, type EvaluatorDeps, type Judged } from "../evaluator.js";
import { settledTick } from "../evaluator-step.js";
import type { Tick } from "../ticker.js";

export interface EvaluateAlertsDeps extends EvaluatorDeps {
  readonly policy: () => PolicySet;
  readonly log: Logger;
}

export interface EvaluateAlertsTick extends Tick {
  /** After its last run: another process goes on at once, and need not wait for the lease to end. */
  leave(): Promise<void>;
}

/** While none is due, no statement is sent. */
const LOOK_EVERY_MS = 1_000;

export function createEvaluateAlertsTick(deps: EvaluateAlertsDeps): EvaluateAlertsTick {
  const evaluator = new Evaluator(deps);
  /** The last tick of each rule that this process judged or left to another: the database is asked once a tick. */
  const done = new Map<string, number>();
  const isDue = (rule: AlertRule, now: Date) =>
    (done.get(rule.name) ?? Number.NEGATIVE_INFINITY) < settledTick(rule, now);
  return {
    name: "evaluate-alerts",
    everyMs: LOOK_EVERY_MS,
    aligned: true,
    run: async (now) => {
      const policy = withoutWaitingRules(deps.policy());
      if (!policy.alerts.some((rule) => isDue(rule, now))) return;
      const judgement = await evaluator.judge(policy, now);
      if (judgement === "waits") return;
      for (const rule of policy.alerts) done.set(rule.name, settledTick(rule, now));
      if (judgement !== "elsewhere") tell(deps.log, judgement);
    },
    leave: () => evaluator.leave(),
  };
}

/** A rule on a metric that nobody emits yet would find it missing: such a rule is shown, and not judged. */
function withoutWaitingRules(policy: PolicySet): PolicySet {
  return { ...policy, alerts: policy.alerts.filter(({ waitsFor = [] }) => waitsFor.length === 0) };
}

function tell(log: Logger, { transitions, notices }: Judged): void {
  for (const { rule, instance, kind, level, severity, value } of transitions) {
    log.info("alert.changed", {
      rule,
      instance,
      transition: kind,
      level_id: level,
      severity,
      value,
    });
  }
  for (const { receiver, dedupKey, action, reason } of notices) {
    log.info("notice.enqueued", { receiver, dedup_key: dedupKey, action, reason });
  }
}
