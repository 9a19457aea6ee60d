/**
 * What runbooks may at most: the executor takes this role once a run, narrowed to what the runbook declares
 * (design 3, 15). Each action is one that a verb of src/runbook/aws-port.ts calls.
 */
import type { PolicySet } from "../src/policy/policy.js";
import { SERVICES } from "../src/policy/services.js";
import {
  accountOf,
  arnOf,
  iamArn,
  logGroupName,
  ownNames,
  qualified,
  repositoryName,
  roleName,
  secretPath,
} from "./names.js";
import { policyDocument, type Statement } from "./statement.js";

/** The tasks of the executor and nobody else. By condition: a trust that names a role needs that role to be there first. */
export function trustExecutor(policy: PolicySet): string {
  const task = iamArn(policy, `role/${roleName(policy, "executor", "task")}`);
  return policyDocument([
    {
      Sid: "Executor",
      Effect: "Allow",
      Principal: { AWS: iamArn(policy, "root") },
      Action: ["sts:AssumeRole"],
      Condition: { ArnEquals: { "aws:PrincipalArn": task } },
    },
  ]);
}

/** @param masterSecretArn of the secret in which RDS keeps the login of the database's master user */
export function runPower(policy: PolicySet, masterSecretArn: string): Statement[] {
  return [
    withoutResource(),
    services(policy),
    handRoles(policy),
    secrets(policy),
    masterLogin(masterSecretArn),
    useKey(policy),
    database(policy),
    cache(policy),
    logs(policy),
    ...rest(policy),
    ...buckets(policy),
  ];
}

/** AWS binds these to no resource: the same list as WITHOUT_RESOURCE of src/runbook/power.ts, and what the verbs need besides. */
function withoutResource(): Statement {
  return {
    Sid: "WithoutResource",
    Effect: "Allow",
    Action: [
      ...["application-autoscaling:DescribeScalableTargets", "cloudwatch:GetMetricData"],
      ...["application-autoscaling:DescribeScalingPolicies", "cloudfront:ListDistributions"],
      ...["ec2:DescribeSecurityGroups", "ecs:DescribeTaskDefinition"],
      ...["ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition", "logs:DescribeLogGroups"],
      ...["logs:GetQueryResults", "logs:StopQuery", "sts:GetCallerIdentity"],
    ],
    Resource: ["*"],
  };
}

function services(policy: PolicySet): Statement {
  const { cluster } = policy.infrastructure;
  const kinds = ["service", "task", "container-instance"].map((kind) => `${kind}/${cluster}/*`);
  const families = ownNames(policy).map((name) => `task-definition/${name}`);
  return {
    Sid: "Services",
    Effect: "Allow",
    Action: [
      ...["ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ListTasks", "ecs:RunTask"],
      ...["ecs:StopTask", "ecs:UpdateService", "ecs:TagResource"],
    ],
    Resource: [...kinds, ...families].map((name) => arnOf(policy, "ecs", name)),
  };
}

/** A revision names the roles of its tasks. */
function handRoles(policy: PolicySet): Statement {
  const uses = ["execution", "task"] as const;
  const roles = uses.flatMap((use) => [
    ...SERVICES.map((service) => roleName(policy, service, use)),
    qualified(policy, `migrate-${use}`),
  ]);
  return {
    Sid: "HandRolesToTasks",
    Effect: "Allow",
    Action: ["iam:PassRole"],
    Resource: roles.map((name) => iamArn(policy, `role/${name}`)),
    Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
  };
}

function secrets(policy: PolicySet): Statement {
  return {
    Sid: "Secrets",
    Effect: "Allow",
    Action: [
      ...["secretsmanager:CreateSecret", "secretsmanager:GetSecretValue"],
      ...["secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue"],
      "secretsmanager:UpdateSecretVersionStage",
    ],
    Resource: [arnOf(policy, "secretsmanager", `secret:${secretPath(policy, "*")}`)],
  };
}

/** Rotation changes the services' users through whoever migrates (HB-aws-24, RB-98): that secret of RDS and no other. */
function masterLogin(arn: string): Statement {
  return {
    Sid: "MasterLogin",
    Effect: "Allow",
    Action: ["secretsmanager:GetSecretValue"],
    Resource: [arn],
  };
}

/** Our key, by its tags: its id is not known before it is made. Only through the services that hold what it encrypts. */
function useKey(policy: PolicySet): Statement {
  const { region } = policy.infrastructure;
  const via = ["secretsmanager", "s3"].map((service) => `${service}.${region}.amazonaws.com`);
  return {
    Sid: "Key",
    Effect: "Allow",
    Action: ["kms:Decrypt", "kms:GenerateDataKey"],
    Resource: [arnOf(policy, "kms", "key/*")],
    Condition: {
      StringEquals: {
        "aws:ResourceTag/system": policy.system,
        "aws:ResourceTag/environment": policy.environment,
        "kms:ViaService": via,
      },
    },
  };
}

function database(policy: PolicySet): Statement {
  const { cluster } = policy.infrastructure;
  return {
    Sid: "Database",
    Effect: "Allow",
    Action: [
      ...["rds:AddTagsToResource", "rds:CreateDBClusterSnapshot", "rds:DescribeDBClusters"],
      "rds:DescribeDBClusterSnapshots",
    ],
    Resource: [`cluster:${cluster}`, `cluster-snapshot:${cluster}*`].map((name) =>
      arnOf(policy, "rds", name),
    ),
  };
}

function cache(policy: PolicySet): Statement {
  const { cluster } = policy.infrastructure;
  return {
    Sid: "Cache",
    Effect: "Allow",
    Action: [
      ...["elasticache:DescribeCacheClusters", "elasticache:DescribeReplicationGroups"],
      "elasticache:ModifyReplicationGroup",
    ],
    Resource: [`replicationgroup:${cluster}`, `cluster:${cluster}*`].map((name) =>
      arnOf(policy, "elasticache", name),
    ),
  };
}

function logs(policy: PolicySet): Statement {
  return {
    Sid: "Logs",
    Effect: "Allow",
    Action: ["logs:StartQuery"],
    Resource: SERVICES.map(
      // AWS writes these ARNs with and without `:*` at their end.
      (service) => arnOf(policy, "logs", `log-group:${logGroupName(policy, service)}*`),
    ),
  };
}

function rest(policy: PolicySet): Statement[] {
  const { heartbeatsTable } = policy.infrastructure;
  const allow = (actions: readonly string[], resources: readonly string[]): Statement => ({
    Effect: "Allow",
    Action: actions,
    Resource: resources,
  });
  return [
    allow(["dynamodb:GetItem"], [arnOf(policy, "dynamodb", `table/${heartbeatsTable}`)]),
    allow(["cloudwatch:DescribeAlarms"], [arnOf(policy, "cloudwatch", "alarm:*")]),
    allow(
      ["ecr:DescribeImages"],
      SERVICES.map((name) => arnOf(policy, "ecr", `repository/${repositoryName(policy, name)}`)),
    ),
    allow(
      ["application-autoscaling:RegisterScalableTarget"],
      [arnOf(policy, "application-autoscaling", "scalable-target/*")],
    ),
  ];
}

function buckets(policy: PolicySet): Statement[] {
  const { exportsBucket, bundleBucket, frontend } = policy.infrastructure;
  const arns = [exportsBucket, bundleBucket, frontend.bucket].map((name) => `arn:aws:s3:::${name}`);
  return [
    { Sid: "FindFiles", Effect: "Allow", Action: ["s3:ListBucket"], Resource: arns },
    {
      Sid: "Frontend",
      Effect: "Allow",
      Action: ["s3:PutObject", "s3:DeleteObject"],
      Resource: [`arn:aws:s3:::${frontend.bucket}/*`],
    },
    {
      Sid: "Invalidate",
      Effect: "Allow",
      Action: ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"],
      Resource: [`arn:aws:cloudfront::${accountOf(policy)}:distribution/*`],
    },
  ];
}
