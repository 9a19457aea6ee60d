/**
 * What a plan may: read how things are made, and hold the lock of the state. Pull requests plan, so the role is
 * within reach of everyone who may open one: no values of secrets, no rows, no objects but the state.
 */
import type { PolicySet } from "../src/policy/policy.js";
import { bucketArns, stateBucketName } from "./names.js";
import type { Statement } from "./statement.js";

/** Prefix → how its things are described; AWS gives most of these without regard to a resource. */
const LOOKS: Readonly<Record<string, readonly string[]>> = {
  acm: ["DescribeCertificate", "ListTagsForCertificate"],
  "application-autoscaling": ["Describe*", "ListTagsForResource"],
  cloudformation: ["DescribeStacks", "GetTemplate"],
  cloudfront: [
    "GetCachePolicy*",
    "GetDistribution*",
    "GetOriginAccessControl*",
    "GetResponseHeadersPolicy*",
    "List*",
  ],
  cloudwatch: ["DescribeAlarms", "GetDashboard", "ListTagsForResource"],
  dynamodb: ["DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive", "ListTags*"],
  ec2: ["Describe*"],
  ecr: ["DescribeImages", "DescribeRepositories", "GetLifecyclePolicy", "ListTagsForResource"],
  ecs: ["Describe*", "List*"],
  elasticache: ["Describe*", "ListTagsForResource"],
  elasticloadbalancing: ["Describe*"],
  iam: ["GetOpenIDConnectProvider", "GetPolicy*", "GetRole*", "List*"],
  kms: ["DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "List*"],
  lambda: ["GetPolicy"],
  logs: ["Describe*", "ListTags*"],
  rds: ["Describe*", "ListTagsForResource"],
  s3: [
    ...["GetAccelerateConfiguration", "GetBucket*", "GetEncryptionConfiguration"],
    ...["GetLifecycleConfiguration", "GetReplicationConfiguration", "ListAllMyBuckets"],
  ],
  secretsmanager: ["DescribeSecret", "GetResourcePolicy", "ListSecretVersionIds"],
  sns: ["GetSubscriptionAttributes", "GetTopicAttributes", "ListSubscriptions*", "ListTags*"],
  sts: ["GetCallerIdentity"],
};

/** Beside `look`. */
export function planPower(policy: PolicySet): Statement[] {
  return [...useState(policy), findBuckets(policy), withoutSecrets()];
}

export function look(): Statement {
  const actions = Object.entries(LOOKS).flatMap(([service, names]) =>
    names.map((name) => `${service}:${name}`),
  );
  return { Sid: "Look", Effect: "Allow", Action: actions, Resource: ["*"] };
}

/** Reads the state, and writes nothing but the lock beside it (`use_lockfile`, Terraform manual, S3 backend). */
function useState(policy: PolicySet): Statement[] {
  const bucket = `arn:aws:s3:::${stateBucketName(policy)}`;
  return [
    { Sid: "FindState", Effect: "Allow", Action: ["s3:ListBucket"], Resource: [bucket] },
    {
      Sid: "ReadState",
      Effect: "Allow",
      Action: ["s3:GetObject"],
      Resource: [`${bucket}/*.tfstate`, `${bucket}/*.tflock`],
    },
    {
      Sid: "LockState",
      Effect: "Allow",
      Action: ["s3:PutObject", "s3:DeleteObject"],
      Resource: [`${bucket}/*.tflock`],
    },
  ];
}

/** The provider looks whether a bucket is there by HeadBucket, which asks for this right (S3 API reference). */
function findBuckets(policy: PolicySet): Statement {
  return {
    Sid: "FindBuckets",
    Effect: "Allow",
    Action: ["s3:ListBucket"],
    Resource: bucketArns(policy),
  };
}

/** Nothing above gives it; this stays true when somebody adds to the list. */
function withoutSecrets(): Statement {
  return {
    Sid: "NoValuesOfSecrets",
    Effect: "Deny",
    Action: ["secretsmanager:GetSecretValue", "ssm:GetParameter*", "kms:Decrypt"],
    Resource: ["*"],
  };
}
