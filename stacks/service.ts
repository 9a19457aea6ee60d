/** One ECS service on Fargate with what it alone needs: logs, roles, task, scaling. */

import { CloudwatchLogGroup } from "#aws/cloudwatch-log-group";
import { EcsService, type EcsServiceConfig } from "#aws/ecs-service";
import { EcsTaskDefinition } from "#aws/ecs-task-definition";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { rollingOf } from "../src/policy/rolling.js";
import type { BalancerTimes } from "../src/policy/running.js";
import type { ServiceName } from "../src/policy/services.js";
import type { Balancer } from "./balancer.js";
import {
  API_PORT,
  containerDefinitions,
  foldersOf,
  hasRemoteShell,
  volumesOf,
} from "./container.js";
import { arnOf, imageName, logGroupName } from "./names.js";
import { makeTaskRoles, type RoleInputs } from "./role.js";
import { makeScaling } from "./scaling.js";
import type { TaskSecret } from "./secret.js";

/** What other stacks have made, and the build to run. */
export interface ServiceInputs extends RoleInputs {
  readonly subnetIds: string[];
  readonly groupId: string;
  readonly cacheEndpoint: string;
  /** Of the log group that remote shells are recorded in. */
  readonly shellLogsArn: string;
  /** The commit whose images run. */
  readonly imageTag: string;
  /** Of images, without tag. */
  repositoryUrl(service: ServiceName): string;
}

export interface ServiceOptions {
  readonly name: ServiceName;
  readonly secrets: readonly TaskSecret[];
  /** Leads to the API alone. */
  readonly balancer: Balancer;
  readonly inputs: ServiceInputs;
}

export function makeService(
  stack: TerraformStack,
  policy: PolicySet,
  options: ServiceOptions,
): CloudwatchLogGroup {
  const { name, inputs } = options;
  const { cluster, balancer, deployment } = policy.infrastructure;
  const logs = makeLogGroup(stack, policy, inputs, { id: name, name: logGroupName(policy, name) });
  const task = makeTask(stack, policy, options, logs);
  const rolling = rollingOf(name, policy.scaling[name].min, deployment.workersPercent);
  const service = new EcsService(stack, `${name}-service`, {
    name,
    cluster: arnOf(policy, "ecs", `cluster/${cluster}`),
    taskDefinition: task.arn,
    desiredCount: policy.scaling[name].desired,
    launchType: "FARGATE",
    enableExecuteCommand: hasRemoteShell(name),
    propagateTags: "SERVICE",
    deploymentMinimumHealthyPercent: rolling.minimumPercent,
    deploymentMaximumPercent: rolling.maximumPercent,
    deploymentCircuitBreaker: { enable: true, rollback: true },
    // Otherwise an apply ends green while its tasks are still failing to start.
    waitForSteadyState: true,
    networkConfiguration: {
      subnets: inputs.subnetIds,
      securityGroups: [inputs.groupId],
      assignPublicIp: false,
    },
    ...(name === "api" ? behind(options.balancer, balancer) : {}),
    // Desired is where a service begins. Later the scaler moves it, and a deployment must not
    // take the tasks away again under load (HB-aws-02, X-21).
    lifecycle: { ignoreChanges: ["desired_count"] },
  });
  makeScaling(stack, policy, { name, clusterName: cluster, serviceName: service.name });
  return logs;
}

function behind(
  { targetGroupArn, listener }: Balancer,
  { graceS }: BalancerTimes,
): Partial<EcsServiceConfig> {
  return {
    loadBalancer: [{ targetGroupArn, containerName: "api", containerPort: API_PORT }],
    healthCheckGracePeriodSeconds: graceS,
    dependsOn: [listener],
  };
}

/** Kept as long as the policy says, all of them (HB-aws-18, X-27), and encrypted with our key. */
export function makeLogGroup(
  stack: TerraformStack,
  policy: PolicySet,
  { keyArn }: Pick<RoleInputs, "keyArn">,
  { id, name }: { readonly id: string; readonly name: string },
): CloudwatchLogGroup {
  return new CloudwatchLogGroup(stack, `${id}-logs`, {
    name,
    retentionInDays: policy.retention.logsDays,
    kmsKeyId: keyArn,
  });
}

function makeTask(
  stack: TerraformStack,
  policy: PolicySet,
  { name, secrets, inputs }: ServiceOptions,
  logs: CloudwatchLogGroup,
): EcsTaskDefinition {
  const size = policy.infrastructure.services[name];
  const roles = makeTaskRoles(stack, policy, {
    service: name,
    secretArns: secrets.map(({ arn }) => arn),
    shellLogsArn: inputs.shellLogsArn,
    inputs,
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
    volume: volumesOf(foldersOf(name)),
    containerDefinitions: containerDefinitions(policy, {
      service: name,
      image: `${inputs.repositoryUrl(name)}:${inputs.imageTag}`,
      imageTag: inputs.imageTag,
      logGroup: logs.name,
      secrets,
      cacheEndpoint: inputs.cacheEndpoint,
      executorRoleArn: inputs.executorRoleArn,
    }),
  });
}
