/** The four services and the way in (HB-aws-02…08, -17…-19, -22). */

import type { App, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { SERVICES } from "../src/policy/services.js";
import { type BalancerInputs, makeBalancer } from "./balancer.js";
import { foundStack, outputEntryOf, outputListOf, outputOf, putOut } from "./foundation.js";
import { imageTag } from "./image-tag.js";
import { shellLogGroupName } from "./names.js";
import { secretsOf } from "./secret.js";
import { makeService, type ServiceInputs } from "./service.js";

export function makeServicesStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "services");
  const inputs = readInputs(stack, policy);
  const balancer = makeBalancer(stack, policy, readBalancerInputs(stack, policy));
  const logs = SERVICES.map((name) => {
    const secrets = secretsOf(stack, policy, name);
    return makeService(stack, policy, { name, secrets, balancer, inputs }).name;
  });
  putOut(stack, "balancer_arn_suffix", balancer.arnSuffix);
  putOut(stack, "target_group_arn_suffix", balancer.targetGroupArnSuffix);
  putOut(stack, "log_group_names", [...logs, shellLogGroupName(policy)]);
}

function readInputs(stack: TerraformStack, policy: PolicySet): ServiceInputs {
  return {
    subnetIds: outputListOf(stack, policy, "network", "private_subnet_ids"),
    groupId: outputOf(stack, policy, "network", "task_group_id"),
    keyArn: outputOf(stack, policy, "network", "kms_key_arn"),
    shellLogsArn: outputOf(stack, policy, "cluster", "shell_logs_arn"),
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

function readBalancerInputs(stack: TerraformStack, policy: PolicySet): BalancerInputs {
  return {
    vpcId: outputOf(stack, policy, "network", "vpc_id"),
    publicSubnetIds: outputListOf(stack, policy, "network", "public_subnet_ids"),
    groupId: outputOf(stack, policy, "network", "balancer_group_id"),
    accessLogsBucket: outputOf(stack, policy, "network", "access_logs_bucket"),
  };
}
