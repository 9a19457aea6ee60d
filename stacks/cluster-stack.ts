/**
 * What has to stand before a service can start: the cluster, the secrets, and the tasks that make the database ready. A
 * stack of its own, since an apply of the services waits until their tasks are healthy, and they cannot be before that
 * (docs/decisions/0065-nobody-knows-the-first-password.md).
 */

import type { CloudwatchLogGroup } from "#aws/cloudwatch-log-group";
import { EcsCluster } from "#aws/ecs-cluster";
import type { App, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { type DatabaseTaskInputs, makeMigration, makePreparation } from "./database-task.js";
import { foundStack, outputEntryOf, outputOf, putOut } from "./foundation.js";
import { imageTag } from "./image-tag.js";
import { databaseLogGroupName, shellLogGroupName } from "./names.js";
import { makeSecrets } from "./secret.js";
import { makeLogGroup } from "./service.js";

export function makeClusterStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "cluster");
  const keyArn = outputOf(stack, policy, "network", "kms_key_arn");
  const shellLogs = makeLogGroup(
    stack,
    policy,
    { keyArn },
    { id: "shell", name: shellLogGroupName(policy) },
  );
  makeCluster(stack, policy, keyArn, shellLogs);
  const secretArns = makeSecrets(stack, policy, keyArn);
  const inputs = readInputs(stack, policy, keyArn);
  makeMigration(stack, policy, inputs, secretArns);
  makePreparation(stack, policy, inputs, secretArns);
  putOut(stack, "secret_arns", Object.fromEntries(secretArns));
  putOut(stack, "shell_logs_arn", shellLogs.arn);
}

/** What people type in a remote shell goes, encrypted, to a log group of its own (HB-aws-22). */
function makeCluster(
  stack: TerraformStack,
  policy: PolicySet,
  keyArn: string,
  shellLogs: CloudwatchLogGroup,
): void {
  new EcsCluster(stack, "cluster", {
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

function readInputs(stack: TerraformStack, policy: PolicySet, keyArn: string): DatabaseTaskInputs {
  const logs = makeLogGroup(
    stack,
    policy,
    { keyArn },
    { id: "database-tasks", name: databaseLogGroupName(policy) },
  );
  const tag = imageTag(stack);
  const image = { name: "repository_urls", key: "workers" } as const;
  return {
    keyArn,
    boundaryArn: outputOf(stack, policy, "identity", "boundary_arn"),
    databaseEndpoint: outputOf(stack, policy, "data", "database_endpoint"),
    passwordArn: outputOf(stack, policy, "data", "migrator_secret_arn"),
    image: `${outputEntryOf(stack, policy, "registry", image)}:${tag}`,
    imageTag: tag,
    logGroup: logs.name,
  };
}
