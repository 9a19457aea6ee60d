/**
 * What AWS refuses although its schema allows it: limits that stand only in manuals and in the
 * provider's code. Terraform would find them at apply, in the middle of a change (gitops-iac.md A5).
 */
import type { Json, JsonObject } from "../src/base/json.js";
import { fargateMemory, LOG_DAYS } from "../src/policy/aws-limits.js";
import { containerTimes } from "./container-limits.js";
import { DATA_LIMITS } from "./data-limits.js";
import { DELIVERY_LIMITS } from "./delivery-limits.js";
import { blocksOf, type Limit, numberOf } from "./limit-values.js";
import { nameFindings } from "./name-limits.js";
import { queryDefinition } from "./query-limits.js";
import { elementsOf, type StackFinding } from "./schema-check.js";
import { SIZE_LIMITS } from "./size-limits.js";

const HOUR_S = 3_600;
const DAY_S = 86_400;

/** One of a type at most: what a type has several of stands in one function. */
const LIMITS: Readonly<Record<string, Limit>> = {
  ...DATA_LIMITS,
  ...DELIVERY_LIMITS,
  ...SIZE_LIMITS,
  aws_appautoscaling_policy: scalingPolicy,
  aws_appautoscaling_target: scalableTarget,
  aws_cloudwatch_log_group: logRetention,
  aws_cloudwatch_metric_alarm: alarmWindow,
  aws_cloudwatch_query_definition: queryDefinition,
  aws_ecs_service: deployment,
  aws_ecs_task_definition: task,
  aws_s3_bucket_lifecycle_configuration: bucketLifecycle,
};

/** All findings in one `cdk.tf.json`. */
export function checkLimits(document: JsonObject): StackFinding[] {
  return elementsOf(document, "resource").flatMap(({ at, type, body }) =>
    [...(LIMITS[type]?.(body) ?? []), ...nameFindings(type, body)].map((message) => ({
      at,
      message,
    })),
  );
}

function logRetention({ retention_in_days }: JsonObject): string[] {
  const days = numberOf(retention_in_days);
  if (days === null || LOG_DAYS.includes(days)) return [];
  return [`keeps logs for ${days} days; CloudWatch takes only ${LOG_DAYS.join(", ")}`];
}

function alarmWindow(body: JsonObject): string[] {
  const evaluations = numberOf(body.evaluation_periods) ?? 1;
  const periods = [body, ...blocksOf(body.metric_query).flatMap(({ metric }) => blocksOf(metric))]
    .map(({ period }) => numberOf(period))
    .filter((period) => period !== null);
  const messages = periods.flatMap((period) => alarmPeriod(period, evaluations));
  const breaching = numberOf(body.datapoints_to_alarm);
  if (breaching !== null && breaching > evaluations)
    messages.push(`needs ${breaching} breaching points of ${evaluations}`);
  return messages;
}

function alarmPeriod(periodS: number, evaluations: number): string[] {
  const messages: string[] = [];
  if (![10, 20, 30].includes(periodS) && (periodS % 60 !== 0 || periodS <= 0))
    messages.push(`has a period of ${periodS} s; CloudWatch takes 10, 20, 30 or whole minutes`);
  const most = periodS < HOUR_S ? DAY_S : 7 * DAY_S;
  if (periodS * evaluations > most)
    messages.push(`looks back ${periodS * evaluations} s; CloudWatch at most ${most} s`);
  return messages;
}

function scalableTarget({ min_capacity, max_capacity }: JsonObject): string[] {
  const min = numberOf(min_capacity);
  const max = numberOf(max_capacity);
  if (min === null || max === null || min <= max) return [];
  return [`scales from ${min} to ${max}: the least is more than the most`];
}

function scalingPolicy(body: JsonObject): string[] {
  return blocksOf(body.target_tracking_scaling_policy_configuration).flatMap((config) => {
    const messages: string[] = [];
    for (const name of ["scale_in_cooldown", "scale_out_cooldown"]) {
      if ((numberOf(config[name]) ?? 0) < 0) messages.push(`has a negative ${name}`);
    }
    if ((numberOf(config.target_value) ?? 1) <= 0) messages.push("tracks a target of 0 or less");
    return messages;
  });
}

function deployment(body: JsonObject): string[] {
  const least = numberOf(body.deployment_minimum_healthy_percent);
  const most = numberOf(body.deployment_maximum_percent);
  if (least === null || most === null || least < most) return [];
  return [`keeps at least ${least} % and at most ${most} % of its tasks: no deployment can move`];
}

function task(body: JsonObject): string[] {
  const messages = fargateSize(numberOf(body.cpu), numberOf(body.memory));
  const containers = containersOf(body.container_definitions);
  messages.push(...containers.flatMap(containerTimes));
  for (const image of containers.map((container) => String(container.image ?? ""))) {
    if (!/(:[^/]+|@sha256:[0-9a-f]{64})$/.test(image) || image.endsWith(":latest"))
      messages.push(`runs the image "${image}": name a commit or a digest, never "latest" (X-20)`);
  }
  return messages;
}

function fargateSize(cpu: number | null, memoryMiB: number | null): string[] {
  if (cpu === null || memoryMiB === null) return [];
  if (fargateMemory(cpu).includes(memoryMiB)) return [];
  return [`has ${cpu} cpu units and ${memoryMiB} MiB, which Fargate does not offer together`];
}

function containersOf(definitions: Json | undefined): JsonObject[] {
  if (typeof definitions !== "string") return [];
  const containers: unknown = JSON.parse(definitions);
  return Array.isArray(containers) ? containers : [];
}

function bucketLifecycle(body: JsonObject): string[] {
  return blocksOf(body.rule).flatMap((rule) => {
    const moved = daysOf(rule.transition);
    const expired = daysOf(rule.expiration);
    const messages = expired.filter((days) => days < 1).map((days) => `expires after ${days} days`);
    for (const days of expired) {
      if (moved.some((other) => days <= other))
        messages.push(`expires after ${days} days, before a transition of the same rule`);
    }
    return messages;
  });
}

function daysOf(blocks: Json | undefined): number[] {
  return blocksOf(blocks)
    .map(({ days }) => numberOf(days))
    .filter((days) => days !== null);
}
