/** Application Auto Scaling: between which numbers of tasks a service is scaled. */
import type { AwsReader, AwsWriter, LimitsView } from "../runbook/aws-port.js";
import { type AwsGround, send } from "./aws-clients.js";
import { serviceOf } from "./aws-names.js";

/** The one thing of an ECS service that is scaled. */
const SCALED = {
  ServiceNamespace: "ecs",
  ScalableDimension: "ecs:service:DesiredCount",
} as const;

export function createScaling(
  ground: AwsGround,
): Pick<AwsReader, "limits"> & Pick<AwsWriter, "setLimits"> {
  return {
    limits: (service) => readLimits(ground, service),
    setLimits: async ({ service, min, max }) => {
      const sdk = await import("@aws-sdk/client-application-auto-scaling");
      const ResourceId = resourceOf(ground, service);
      const asked = { ...SCALED, ResourceId, MinCapacity: min, MaxCapacity: max };
      const command = new sdk.RegisterScalableTargetCommand(asked);
      await send(ground, "application-autoscaling", command, { target: ResourceId });
    },
  };
}

function resourceOf({ place }: AwsGround, service: string): string {
  return `service/${place().cluster}/${serviceOf(place(), service).name}`;
}

async function readLimits(ground: AwsGround, service: string): Promise<LimitsView | null> {
  const sdk = await import("@aws-sdk/client-application-auto-scaling");
  const id = resourceOf(ground, service);
  const targets = await send(
    ground,
    "application-autoscaling",
    new sdk.DescribeScalableTargetsCommand({ ...SCALED, ResourceIds: [id] }),
    { target: id },
  );
  const [found] = targets.ScalableTargets ?? [];
  if (found === undefined) return null;
  const policies = await send(
    ground,
    "application-autoscaling",
    new sdk.DescribeScalingPoliciesCommand({ ...SCALED, ResourceId: id }),
    { target: id },
  );
  const { DynamicScalingInSuspended: isIn, DynamicScalingOutSuspended: isOut } =
    found.SuspendedState ?? {};
  return {
    min: found.MinCapacity ?? 0,
    max: found.MaxCapacity ?? 0,
    policies: (policies.ScalingPolicies ?? []).map(({ PolicyName }) => PolicyName ?? "").sort(),
    suspended: isIn === true || isOut === true,
  };
}
