/** Where the balancer, the other buckets and the network write who came (LB-aws-08). */

import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { type GuardedBucket, makeGuardedBucket } from "./bucket.js";
import { accountOf, arnOf } from "./names.js";
import type { Statement } from "./statement.js";

/** Encrypted by S3's own key: a balancer cannot write to a bucket with another (AWS manual, access logs of ALB). */
export function makeAccessLogs(stack: TerraformStack, policy: PolicySet): GuardedBucket {
  const name = `${policy.infrastructure.cluster}-access-logs`;
  const arn = `arn:aws:s3:::${name}`;
  return makeGuardedBucket(stack, policy, {
    id: "access-logs",
    name,
    keyArn: null,
    versioned: false,
    expireDays: policy.retention.logsDays,
    logsTo: null,
    statements: [balancer(policy, arn), buckets(policy, arn), ...flows(policy, arn)],
  });
}

function balancer(policy: PolicySet, arn: string): Statement {
  return {
    Sid: "Balancer",
    Effect: "Allow",
    Principal: { Service: "logdelivery.elasticloadbalancing.amazonaws.com" },
    Action: ["s3:PutObject"],
    Resource: [`${arn}/alb/AWSLogs/${accountOf(policy)}/*`],
  };
}

function buckets(policy: PolicySet, arn: string): Statement {
  return {
    Sid: "Buckets",
    Effect: "Allow",
    Principal: { Service: "logging.s3.amazonaws.com" },
    Action: ["s3:PutObject"],
    Resource: [`${arn}/s3/*`],
    Condition: { StringEquals: { "aws:SourceAccount": accountOf(policy) } },
  };
}

/** AWS manual, "Publish flow logs to Amazon S3". */
function flows(policy: PolicySet, arn: string): Statement[] {
  const fromHere = {
    StringEquals: { "aws:SourceAccount": accountOf(policy) },
    ArnLike: { "aws:SourceArn": arnOf(policy, "logs", "*") },
  };
  const delivery = {
    Effect: "Allow",
    Principal: { Service: "delivery.logs.amazonaws.com" },
  } as const;
  return [
    {
      Sid: "FlowsWrite",
      ...delivery,
      Action: ["s3:PutObject"],
      Resource: [`${arn}/flow/AWSLogs/${accountOf(policy)}/*`],
      Condition: fromHere,
    },
    {
      Sid: "FlowsLook",
      ...delivery,
      Action: ["s3:GetBucketAcl", "s3:ListBucket"],
      Resource: [arn],
      Condition: fromHere,
    },
  ];
}
