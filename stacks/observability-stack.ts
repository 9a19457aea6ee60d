/** The second pair of eyes: CloudWatch alarms for the rules it can see, told through one topic (design 3, 16). */

import {
  CloudwatchMetricAlarm,
  type CloudwatchMetricAlarmConfig,
} from "#aws/cloudwatch-metric-alarm";
import { SnsTopic } from "#aws/sns-topic";
import { SnsTopicSubscription } from "#aws/sns-topic-subscription";
import { type App, type TerraformStack, TerraformVariable } from "#cdk";
import {
  type CloudWatchAlarm,
  type CloudWatchQuery,
  type CloudWatchStatistic,
  cloudWatchAlarm,
} from "../src/alert/outlet/cloudwatch.js";
import type { LeftOut } from "../src/alert/outlet/left-out.js";
import type { AlertLevel, AlertRule, PolicySet } from "../src/policy/policy.js";
import { foundStack } from "./foundation.js";

/** Answers what CloudWatch cannot watch, so that synthesis can say so. Without the outlet there are no alarms. */
export function makeObservabilityStack(app: App, policy: PolicySet): LeftOut[] {
  const stack = foundStack(app, policy, "observability");
  if (!policy.monitoring.outlets.cloudwatch.enabled) return [];
  const topic = makeTopic(stack, policy);
  const context = { namespace: policy.infrastructure.namespace, metrics: policy.metrics };
  const leftOut: LeftOut[] = [];
  for (const rule of policy.alerts) {
    for (const level of rule.levels) {
      const form = cloudWatchAlarm(rule, level, context);
      if (form.ok)
        makeAlarm(stack, policy, { rule, level, alarm: form.alarm, topicArn: topic.arn });
      else leftOut.push({ rule: rule.name, level: level.id, reason: form.reason });
    }
  }
  return leftOut;
}

/** Not encrypted with the key AWS manages: that one lets no alarm publish. */
function makeTopic(stack: TerraformStack, policy: PolicySet): SnsTopic {
  const topic = new SnsTopic(stack, "alarms", { name: `${policy.infrastructure.cluster}-alarms` });
  const endpoint = new TerraformVariable(stack, "alarm_endpoint", {
    type: "string",
    sensitive: true,
    description:
      "HTTPS address that alarms are posted to, such as an integration URL of PagerDuty.",
  });
  new SnsTopicSubscription(stack, "alarms-subscription", {
    topicArn: topic.arn,
    protocol: "https",
    endpoint: endpoint.stringValue,
    endpointAutoConfirms: true,
  });
  return topic;
}

interface AlarmOptions {
  readonly rule: AlertRule;
  readonly level: AlertLevel;
  readonly alarm: CloudWatchAlarm;
  readonly topicArn: string;
}

function makeAlarm(
  stack: TerraformStack,
  policy: PolicySet,
  { rule, level, alarm, topicArn }: AlarmOptions,
): void {
  new CloudwatchMetricAlarm(stack, `alarm-${level.id}`, {
    alarmName: `${policy.infrastructure.cluster}-${rule.name}-${level.id}`,
    alarmDescription: `${level.id} ${level.severity}: ${rule.summary}`,
    comparisonOperator: alarm.comparison,
    threshold: alarm.threshold,
    evaluationPeriods: alarm.evaluationPeriods,
    ...(alarm.datapointsToAlarm === null ? {} : { datapointsToAlarm: alarm.datapointsToAlarm }),
    treatMissingData: alarm.missingData,
    alarmActions: [topicArn],
    okActions: [topicArn],
    ...(alarm.tellsMissingData ? { insufficientDataActions: [topicArn] } : {}),
    ...observed(alarm.query),
  });
}

function observed(query: CloudWatchQuery): Partial<CloudwatchMetricAlarmConfig> {
  if (query.kind === "math") return { metricQuery: metricMath(query.expression, query.metrics) };
  const { metric } = query;
  return {
    namespace: metric.namespace,
    metricName: metric.metricName,
    period: metric.periodS,
    // The provider keeps percentiles apart from the five plain statistics.
    ...(metric.statistic.startsWith("p")
      ? { extendedStatistic: metric.statistic }
      : { statistic: metric.statistic }),
  };
}

function metricMath(expression: string, metrics: readonly CloudWatchStatistic[]) {
  const inputs = metrics.map((metric, index) => ({
    id: `m${index + 1}`,
    metric: {
      namespace: metric.namespace,
      metricName: metric.metricName,
      period: metric.periodS,
      stat: metric.statistic,
    },
  }));
  return [{ id: "e1", expression, returnData: true }, ...inputs];
}
