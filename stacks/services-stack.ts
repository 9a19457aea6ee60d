/** The cluster, its four services and the way in (HB-aws-01…08, -17…-19, -22). */

import type { CloudwatchLogGroup } from "#aws/cloudwatch-log-group";
import { EcsCluster } from "#aws/ecs-cluster";
import { type App, type TerraformStack, TerraformVariable } from "#cdk";
import { assert } from "../src/base/assert.js";
import type { PolicySet } from "../src/policy/policy.js";
import { SERVICES } from "../src/policy/services.js";
import { type BalancerInputs, makeBalancer } from "./balancer.js";
import { foundStack, outputEntryOf, outputListOf, outputOf, putOut } from "./foundation.js";
import { type MigrationOptions, makeMigration } from "./migration.js";
import { logGroupName, shellLogGroupName } from "./names.js";
import { makeSecrets, type TaskSecret } from "./secret.js";
import { makeLogGroup, makeService, type ServiceInputs } from "./service.js";

export function makeServicesStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "services");
  const inputs = readInputs(stack, policy);
  const shellLogs = makeLogGroup(stack, policy, inputs, {
    id: "shell",
    name: shellLogGroupName(policy),
  });
  const cluster = makeCluster(stack, policy, inputs.keyArn, shellLogs);
  const secretsOf = makeSecrets(stack, policy, inputs.keyArn);
  const balancer = makeBalancer(stack, policy, readBalancerInputs(stack, policy));
  const shellLogsArn = shellLogs.arn;
  const logs = SERVICES.map((name) => {
    const secrets = secretsOf(name);
    return makeService(stack, policy, { name, cluster, secrets, shellLogsArn, balancer, inputs });
  });
  makeMigration(stack, policy, migrationOptions(stack, policy, inputs, secretsOf("workers")));
  putOut(stack, "cluster_name", cluster.name);
  putOut(stack, "balancer_arn_suffix", balancer.arnSuffix);
  putOut(stack, "target_group_arn_suffix", balancer.targetGroupArnSuffix);
  putOut(
    stack,
    "log_group_names",
    [...logs, shellLogs].map(({ name }) => name),
  );
}

/** What people type in a remote shell goes, encrypted, to a log group of its own (HB-aws-22). */
function makeCluster(
  stack: TerraformStack,
  policy: PolicySet,
  keyArn: string,
  shellLogs: CloudwatchLogGroup,
): EcsCluster {
  return new EcsCluster(stack, "cluster", {
    name: policy.infrastructure.cluster,
    setting: [{ name: "containerInsights", value: "enabled" }],
    configuration: {
      executeCommandConfiguration: {
        kmsKeyId: keyArn,
        logging: "OVERRIDE",
        logConfiguration: {
          cloudWatchEncryptionEnabled: true,
          cloudWatchLogGroupName: shellLogs.name,
        },
      },
    },
  });
}

function readInputs(stack: TerraformStack, policy: PolicySet): ServiceInputs {
  return {
    subnetIds: outputListOf(stack, policy, "network", "private_subnet_ids"),
    groupId: outputOf(stack, policy, "network", "task_group_id"),
    keyArn: outputOf(stack, policy, "network", "kms_key_arn"),
    cacheEndpoint: outputOf(stack, policy, "data", "cache_endpoint"),
    heartbeatsTableArn: outputOf(stack, policy, "data", "heartbeats_table_arn"),
    exportsBucketArn: outputOf(stack, policy, "data", "exports_bucket_arn"),
    bundleBucketArn: outputOf(stack, policy, "data", "bundle_bucket_arn"),
    boundaryArn: outputOf(stack, policy, "identity", "boundary_arn"),
    executorRoleArn: outputOf(stack, policy, "identity", "executor_role_arn"),
    repositoryUrl: (key) =>
      outputEntryOf(stack, policy, "registry", { name: "repository_urls", key }),
    imageTag: imageTag(stack),
  };
}

function migrationOptions(
  stack: TerraformStack,
  policy: PolicySet,
  inputs: ServiceInputs,
  secrets: readonly TaskSecret[],
): MigrationOptions {
  const jwtSecret = secrets.find(({ variable }) => variable === "JWT_SECRET");
  assert(jwtSecret !== undefined, "workers read JWT_SECRET");
  return {
    databaseEndpoint: outputOf(stack, policy, "data", "database_endpoint"),
    passwordArn: outputOf(stack, policy, "data", "migrator_secret_arn"),
    jwtSecret,
    image: `${inputs.repositoryUrl("workers")}:${inputs.imageTag}`,
    imageTag: inputs.imageTag,
    logGroup: logGroupName(policy, "workers"),
    inputs,
  };
}

function readBalancerInputs(stack: TerraformStack, policy: PolicySet): BalancerInputs {
  return {
    vpcId: outputOf(stack, policy, "network", "vpc_id"),
    publicSubnetIds: outputListOf(stack, policy, "network", "public_subnet_ids"),
    groupId: outputOf(stack, policy, "network", "balancer_group_id"),
    accessLogsBucket: outputOf(stack, policy, "network", "access_logs_bucket"),
  };
}

/** A moving tag says neither what runs nor what to go back to. */
function imageTag(stack: TerraformStack): string {
  const variable = new TerraformVariable(stack, "image_tag", {
    type: "string",
    description: "The commit whose images run: 40 hexadecimal digits.",
    validation: [
      {
        condition: `\${can(regex("^[0-9a-f]{40}$", var.image_tag))}`,
        errorMessage: "image_tag must be a full commit SHA of 40 hexadecimal digits.",
      },
    ],
  });
  return variable.stringValue;
}
