/** An alarm for one level of a rule, in Terraform's words. */

import {
  CloudwatchMetricAlarm,
  type CloudwatchMetricAlarmConfig,
} from "#aws/cloudwatch-metric-alarm";
import type { TerraformStack } from "#cdk";
import { alarmName } from "../src/alert/outlet/alarm-names.js";
import type {
  CloudWatchAlarm,
  CloudWatchQuery,
  CloudWatchStatistic,
} from "../src/alert/outlet/cloudwatch.js";
import type { AlertLevel, AlertRule, PolicySet } from "../src/policy/policy.js";

export interface AlarmOptions {
  readonly rule: AlertRule;
  readonly level: AlertLevel;
  readonly alarm: CloudWatchAlarm;
  readonly topicArn: string;
}

export function makeAlarm(
  stack: TerraformStack,
  policy: PolicySet,
  { rule, level, alarm, topicArn }: AlarmOptions,
): void {
  new CloudwatchMetricAlarm(stack, `alarm-${level.id}`, {
    alarmName: alarmName(policy, rule, level),
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
