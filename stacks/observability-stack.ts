/**
 * The second pair of eyes: CloudWatch alarms for the rules it can see and for our silence, told through one topic
 * (design 3, 16), and what people look at: an overview, saved queries, logs sent on.
 */

import { SnsTopic } from "#aws/sns-topic";
import { SnsTopicSubscription } from "#aws/sns-topic-subscription";
import { type App, type TerraformStack, TerraformVariable } from "#cdk";
import { cloudWatchAlarm } from "../src/alert/outlet/cloudwatch.js";
import type { LeftOut } from "../src/alert/outlet/left-out.js";
import type { PolicySet } from "../src/policy/policy.js";
import { makeAlarm } from "./alarm.js";
import { makeDashboard } from "./dashboard.js";
import { makeDeadMan } from "./dead-man.js";
import { makeForwarder } from "./forwarder.js";
import { foundStack, outputOf } from "./foundation.js";
import { makeLogQueries } from "./log-queries.js";

/**
 * Answers what CloudWatch cannot watch, so that synthesis can say so. Without the outlet nothing is published there:
 * then there are no alarms, and a dead-man alarm would only ever say that.
 */
export function makeObservabilityStack(app: App, policy: PolicySet): LeftOut[] {
  const stack = foundStack(app, policy, "observability");
  const keyArn = outputOf(stack, policy, "network", "kms_key_arn");
  makeLogQueries(stack, policy);
  makeForwarder(stack, policy, keyArn);
  if (!policy.monitoring.outlets.cloudwatch.enabled) return [];
  makeDashboard(stack, policy);
  const topicArn = makeTopic(stack, policy, keyArn).arn;
  makeDeadMan(stack, policy, topicArn);
  return makeAlarms(stack, policy, topicArn);
}

function makeAlarms(stack: TerraformStack, policy: PolicySet, topicArn: string): LeftOut[] {
  const context = { namespace: policy.infrastructure.namespace, metrics: policy.metrics };
  const leftOut: LeftOut[] = [];
  for (const rule of policy.alerts) {
    for (const level of rule.levels) {
      const form = cloudWatchAlarm(rule, level, context);
      if (form.ok) makeAlarm(stack, policy, { rule, level, alarm: form.alarm, topicArn });
      else leftOut.push({ rule: rule.name, level: level.id, reason: form.reason });
    }
  }
  return leftOut;
}

/** Encrypted with our key and not with the one that AWS manages: that one lets no alarm publish. */
function makeTopic(stack: TerraformStack, policy: PolicySet, keyArn: string): SnsTopic {
  const topic = new SnsTopic(stack, "alarms", {
    name: `${policy.infrastructure.cluster}-alarms`,
    kmsMasterKeyId: keyArn,
  });
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
