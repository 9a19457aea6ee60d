/**
 * Someone outside watches (design 3, 16): the orchestrator says each minute that it has worked, and when CloudWatch no
 * longer hears it, CloudWatch pages. Nothing of ours has to be alive for that: neither a process nor a log driver nor
 * our own evaluator.
 */

import { CloudwatchMetricAlarm } from "#aws/cloudwatch-metric-alarm";
import type { TerraformStack } from "#cdk";
import { deadManAlarmName } from "../src/alert/outlet/alarm-names.js";
import type { PolicySet } from "../src/policy/policy.js";

/** Published by runtime/tick/publish-metrics: the value 1 after each minute in which a cycle ended well. */
const HEARTBEAT_METRIC = "Heartbeat";
const SERVICE = "orchestrator";
const PERIOD_S = 60;

/** On by default; `after` is counted in whole minutes. */
export function makeDeadMan(stack: TerraformStack, policy: PolicySet, topicArn: string): void {
  const { cluster, namespace, deadMan } = policy.infrastructure;
  if (!deadMan.enabled) return;
  new CloudwatchMetricAlarm(stack, "dead-man", {
    alarmName: deadManAlarmName(policy),
    alarmDescription: `The ${SERVICE} of ${cluster} has been silent: nothing schedules, nothing alerts. Begin with its tasks.`,
    namespace,
    metricName: HEARTBEAT_METRIC,
    dimensions: { service: SERVICE },
    statistic: "Sum",
    period: PERIOD_S,
    evaluationPeriods: Math.max(1, Math.ceil(deadMan.afterMs / (PERIOD_S * 1000))),
    comparisonOperator: "LessThanThreshold",
    threshold: 1,
    treatMissingData: "breaching",
    alarmActions: [topicArn],
    okActions: [topicArn],
  });
}
