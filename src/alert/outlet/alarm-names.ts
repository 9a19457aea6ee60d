/** What the alarms of one environment are called in CloudWatch: the stacks make them, and runbooks look for them. */
import type { AlertLevel, AlertRule, PolicySet } from "../../policy/policy.js";
import { cloudWatchAlarm } from "./cloudwatch.js";

/** `algobrain-prod-queue-depth-high-AR-01`. */
export function alarmName(
  { infrastructure: { cluster } }: Pick<PolicySet, "infrastructure">,
  rule: Pick<AlertRule, "name">,
  level: Pick<AlertLevel, "id">,
): string {
  return `${cluster}-${rule.name}-${level.id}`;
}

export function deadManAlarmName({
  infrastructure: { cluster },
}: Pick<PolicySet, "infrastructure">): string {
  return `${cluster}-dead-man`;
}

/** All that the policy makes there; none where nothing is published to CloudWatch. */
export function alarmNames(policy: PolicySet): readonly string[] {
  const { infrastructure, metrics, monitoring, alerts } = policy;
  if (!monitoring.outlets.cloudwatch.enabled) return [];
  const context = { namespace: infrastructure.namespace, metrics };
  const ofRules = alerts.flatMap((rule) =>
    rule.levels
      .filter((level) => cloudWatchAlarm(rule, level, context).ok)
      .map((level) => alarmName(policy, rule, level)),
  );
  return [...(infrastructure.deadMan.enabled ? [deadManAlarmName(policy)] : []), ...ofRules];
}
