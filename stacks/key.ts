/** One key for all that an environment keeps: logs, secrets, topics, images, databases, buckets. */

import { KmsAlias } from "#aws/kms-alias";
import { KmsKey } from "#aws/kms-key";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { arnOf, iamArn } from "./names.js";
import { policyDocument, type Statement } from "./statement.js";

/** Answers its ARN. Losing the key loses everything that it keeps: a plan may not destroy it. */
export function makeKey(stack: TerraformStack, policy: PolicySet): string {
  const { cluster, key: kept } = policy.infrastructure;
  const key = new KmsKey(stack, "key", {
    description: `What ${cluster} keeps.`,
    enableKeyRotation: true,
    deletionWindowInDays: kept.deletionDays,
    policy: policyDocument([account(policy), logGroups(policy), alarms(policy)]),
    lifecycle: { preventDestroy: true },
  });
  new KmsAlias(stack, "key-alias", { name: `alias/${cluster}`, targetKeyId: key.keyId });
  return key.arn;
}

/** IAM decides, as for everything else of the account; without this line nobody could ever change the key. */
function account(policy: PolicySet): Statement {
  return {
    Sid: "IamDecides",
    Effect: "Allow",
    Principal: { AWS: iamArn(policy, "root") },
    Action: ["kms:*"],
    Resource: ["*"],
  };
}

/** CloudWatch Logs uses a key in its own name (AWS manual, "Encrypt log data in CloudWatch Logs using KMS"). */
function logGroups(policy: PolicySet): Statement {
  return {
    Sid: "LogGroups",
    Effect: "Allow",
    Principal: { Service: `logs.${policy.infrastructure.region}.amazonaws.com` },
    Action: [
      "kms:Encrypt",
      "kms:Decrypt",
      "kms:ReEncrypt*",
      "kms:GenerateDataKey*",
      "kms:DescribeKey",
    ],
    Resource: ["*"],
    Condition: {
      ArnLike: { "kms:EncryptionContext:aws:logs:arn": arnOf(policy, "logs", "log-group:*") },
    },
  };
}

/** Alarms publish to an encrypted topic (AWS manual, "Key management" of SNS). */
function alarms(policy: PolicySet): Statement {
  return {
    Sid: "Alarms",
    Effect: "Allow",
    Principal: { Service: "cloudwatch.amazonaws.com" },
    Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
    Resource: ["*"],
    Condition: { ArnLike: { "aws:SourceArn": arnOf(policy, "cloudwatch", "alarm:*") } },
  };
}
