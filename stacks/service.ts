/** One ECS service on Fargate with all it needs: image repository, logs, roles, task, scaling. */

import { CloudwatchLogGroup } from "#aws/cloudwatch-log-group";
import { EcrRepository } from "#aws/ecr-repository";
import type { EcsCluster } from "#aws/ecs-cluster";
import { EcsService } from "#aws/ecs-service";
import { EcsTaskDefinition } from "#aws/ecs-task-definition";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { containerDefinitions } from "./container.js";
import { imageName, logGroupName, type ServiceName } from "./names.js";
import { makeTaskRoles } from "./role.js";
import { makeScaling } from "./scaling.js";
import type { TaskSecret } from "./secret.js";

/** What is not ours to make or to know: the network the tasks live in, and the build to run. */
export interface ServiceInputs {
  readonly subnetIds: string[];
  readonly securityGroupIds: string[];
  readonly imageTag: string;
}

export interface ServiceOptions {
  readonly name: ServiceName;
  readonly cluster: EcsCluster;
  readonly secrets: readonly TaskSecret[];
  readonly inputs: ServiceInputs;
}

/**
 * How many tasks may be missing or too many while a deployment runs, in percent of the desired count.
 * The orchestrator is stopped before its successor starts: leadership is a lease, so two would be
 * safe, but the handbook wants one (HB-aws-03, X-08).
 */
const ROLLING = { minimumPercent: 100, maximumPercent: 200 } as const;
const ONE_AT_A_TIME = { minimumPercent: 0, maximumPercent: 100 } as const;

export function makeService(
  stack: TerraformStack,
  policy: PolicySet,
  { name, cluster, secrets, inputs }: ServiceOptions,
): void {
  const task = makeTask(stack, policy, { name, cluster, secrets, inputs });
  const deployment = name === "orchestrator" ? ONE_AT_A_TIME : ROLLING;
  const service = new EcsService(stack, `${name}-service`, {
    name,
    cluster: cluster.arn,
    taskDefinition: task.arn,
    desiredCount: policy.scaling[name].desired,
    launchType: "FARGATE",
    enableExecuteCommand: true,
    propagateTags: "SERVICE",
    deploymentMinimumHealthyPercent: deployment.minimumPercent,
    deploymentMaximumPercent: deployment.maximumPercent,
    deploymentCircuitBreaker: { enable: true, rollback: true },
    // Otherwise an apply ends green while its tasks are still failing to start.
    waitForSteadyState: true,
    networkConfiguration: {
      subnets: inputs.subnetIds,
      securityGroups: inputs.securityGroupIds,
      assignPublicIp: false,
    },
    // Desired is where a service begins. Later the scaler moves it, and a deployment must not
    // take the tasks away again under load (HB-aws-02, X-21).
    lifecycle: { ignoreChanges: ["desired_count"] },
  });
  makeScaling(stack, policy, { name, clusterName: cluster.name, serviceName: service.name });
}

function makeTask(
  stack: TerraformStack,
  policy: PolicySet,
  { name, secrets, inputs }: ServiceOptions,
): EcsTaskDefinition {
  const size = policy.infrastructure.services[name];
  const repository = makeRepository(stack, policy, name);
  const logs = new CloudwatchLogGroup(stack, `${name}-logs`, {
    name: logGroupName(policy, name),
    retentionInDays: policy.retention.logsDays,
  });
  const roles = makeTaskRoles(stack, policy, {
    service: name,
    secretArns: secrets.map(({ arn }) => arn),
    logGroupArn: logs.arn,
  });
  return new EcsTaskDefinition(stack, `${name}-task`, {
    family: imageName(policy, name),
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    cpu: String(size.cpu),
    memory: String(size.memoryMiB),
    runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
    executionRoleArn: roles.executionArn,
    taskRoleArn: roles.taskArn,
    containerDefinitions: containerDefinitions(policy, {
      service: name,
      image: `${repository.repositoryUrl}:${inputs.imageTag}`,
      logGroup: logs.name,
      secrets,
    }),
  });
}

/** Tags are written once: what ran yesterday under a tag is what runs today (HB-aws-06, X-20). */
function makeRepository(
  stack: TerraformStack,
  policy: PolicySet,
  name: ServiceName,
): EcrRepository {
  return new EcrRepository(stack, `${name}-images`, {
    name: imageName(policy, name),
    imageTagMutability: "IMMUTABLE",
    imageScanningConfiguration: { scanOnPush: true },
  });
}
