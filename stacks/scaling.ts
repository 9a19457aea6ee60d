/** The scalable target of a service and its policies, made together: one without the other scales nothing. */

import {
  AppautoscalingPolicy,
  type AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
} from "#aws/appautoscaling-policy";
import { AppautoscalingTarget } from "#aws/appautoscaling-target";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import type { ScalingTarget, ServiceName } from "../src/policy/services.js";

export interface ScalingOptions {
  readonly name: ServiceName;
  readonly clusterName: string;
  readonly serviceName: string;
}

/** Nothing for a service of fixed size, such as the orchestrator and the executor. */
export function makeScaling(
  stack: TerraformStack,
  policy: PolicySet,
  { name, clusterName, serviceName }: ScalingOptions,
): void {
  const scaling = policy.scaling[name];
  if (scaling.min === scaling.max) return;
  const target = new AppautoscalingTarget(stack, `${name}-scaling-target`, {
    serviceNamespace: "ecs",
    scalableDimension: "ecs:service:DesiredCount",
    resourceId: `service/${clusterName}/${serviceName}`,
    minCapacity: scaling.min,
    maxCapacity: scaling.max,
  });
  for (const tracked of scaling.policies) {
    new AppautoscalingPolicy(stack, tracked.name, {
      name: tracked.name,
      policyType: "TargetTrackingScaling",
      serviceNamespace: target.serviceNamespace,
      scalableDimension: target.scalableDimension,
      resourceId: target.resourceId,
      targetTrackingScalingPolicyConfiguration: targetTracking(tracked),
    });
  }
}

function targetTracking(
  tracked: ScalingTarget,
): AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration {
  const { metric } = tracked;
  return {
    targetValue: tracked.target,
    scaleInCooldown: tracked.scaleInCooldownS,
    scaleOutCooldown: tracked.scaleOutCooldownS,
    ...("predefined" in metric
      ? { predefinedMetricSpecification: { predefinedMetricType: metric.predefined } }
      : {
          customizedMetricSpecification: {
            namespace: metric.namespace,
            metricName: metric.name,
            statistic: metric.statistic,
          },
        }),
  };
}
