/** GIVEN production and staging in one account, WHEN synthesized, THEN nobody may do more than their work (X-41, HB-req-01). */
import { beforeAll, expect, test } from "vitest";
import type { Json } from "../../src/base/json.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { awsEstate } from "../../src/runbook/aws-place.js";
import { filled } from "../../src/runtime/executor/aws-session.js";
import { elementsOf } from "../../stacks/schema-check.js";
import { makePolicy } from "../support/make-policy.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

let production: Synthesized;
let staging: Synthesized;
beforeAll(async () => {
  production = await synthesized(handbookPolicy());
  staging = await synthesized(stagingPolicy());
});

/** With the name that the handbook gives the site's bucket (HB-aws-14). */
function handbookPolicy(): PolicySet {
  const policy = makePolicy();
  const frontend = { ...policy.infrastructure.frontend, bucket: "algobrain-frontend-prod" };
  return { ...policy, infrastructure: { ...policy.infrastructure, frontend } };
}

function stagingPolicy(): PolicySet {
  const policy = makePolicy();
  return {
    ...policy,
    environment: "staging",
    infrastructure: {
      ...policy.infrastructure,
      cluster: "algobrain-staging",
      registry: { ...policy.infrastructure.registry, owner: false },
      identity: {
        ...policy.infrastructure.identity,
        ...{ oidcProvider: "existing", ownerId: "12", repoId: "34" },
      },
    },
  };
}

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource?: readonly string[];
  readonly Principal?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
}

/** Every statement of every policy of every stack, with the place where it stands. */
function statements(output: Synthesized): { at: string; statement: Statement }[] {
  return Object.values(output.documents).flatMap((document) =>
    elementsOf(document, "resource").flatMap(({ at, body }) =>
      Object.values(body).flatMap((value) =>
        statementsIn(value).map((statement) => ({ at, statement })),
      ),
    ),
  );
}

function statementsIn(value: Json | undefined): Statement[] {
  if (typeof value !== "string" || !value.startsWith('{"Version"')) return [];
  return JSON.parse(value).Statement;
}

/** Whole services on everything: each with the reason why it is no power. */
const WHOLE_SERVICES: Readonly<Record<string, string>> = {
  "resource.aws_iam_policy.boundary":
    "gives nothing: a role may do what its own policy allows, too",
  "resource.aws_kms_key.key": "the policy of a key: `*` is this key, and IAM decides",
};

test("no role may do everything, or all of a service to everything (X-41, HB-req-01)", () => {
  for (const output of [production, staging]) {
    const found = statements(output).filter(
      ({ statement: { Effect, Action, Resource } }) =>
        Effect === "Allow" &&
        Resource?.includes("*") &&
        Action.some((action) => action === "*" || action.endsWith(":*")),
    );
    expect(new Set(found.map(({ at }) => at))).toEqual(new Set(Object.keys(WHOLE_SERVICES)));
  }
});

test("every role is bounded, and the boundary knows neither users nor keys nor itself", () => {
  const roles = Object.values(production.resources("aws_iam_role"));
  expect(roles.length).toBeGreaterThan(10);
  for (const role of roles) expect(role.permissions_boundary).toMatch(/boundary/);
  const allowed = allowedBy(production, "aws_iam_policy", "boundary");
  for (const action of [
    ...["iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreatePolicy"],
    ...["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:AttachUserPolicy"],
    ...["iam:DeleteRolePermissionsBoundary", "organizations:LeaveOrganization"],
  ])
    expect(allowed(action), action).toBe(false);
  for (const action of ["iam:CreateRole", "iam:PassRole", "ecs:UpdateService"])
    expect(allowed(action), action).toBe(true);
});

test("each role has all its policies listed: what is given to it beside them is drift", () => {
  const bodies = (type: string) => Object.values(production.resources(type));
  const listed = (type: string, attribute: string) =>
    Object.fromEntries(bodies(type).map((body) => [body.role_name, body[attribute]]));
  const written = listed("aws_iam_role_policies_exclusive", "policy_names");
  const attached = listed("aws_iam_role_policy_attachments_exclusive", "policy_arns");
  const roles = Object.keys(production.resources("aws_iam_role"));
  expect(Object.keys(written).sort()).toEqual(
    roles.map((id) => `\${aws_iam_role.${id}.name}`).sort(),
  );
  expect(Object.keys(attached).sort()).toEqual(Object.keys(written).sort());
  // By reference: they are listed once they are there, and not before.
  const all = (type: string, attribute: string) =>
    Object.keys(production.resources(type)).map((id) => `\${${type}.${id}.${attribute}}`);
  expect(Object.values(written).flat().sort()).toEqual(all("aws_iam_role_policy", "name").sort());
  expect(Object.values(attached).flat().sort()).toEqual(
    all("aws_iam_role_policy_attachment", "policy_arn").sort(),
  );
});

test("what changes a role is refused without the boundary, and to plan and apply themselves", () => {
  const { policy } = production.resource("aws_iam_policy", "boundary");
  const refused = statementsIn(policy).filter(({ Effect }) => Effect === "Deny");
  expect(refused).toMatchObject([
    {
      Action: expect.arrayContaining(["iam:CreateRole", "iam:PutRolePolicy"]),
      Resource: ["*"],
      Condition: {
        StringNotEquals: {
          "iam:PermissionsBoundary": "arn:aws:iam::123456789012:policy/algobrain-boundary",
        },
      },
    },
    {
      Action: expect.arrayContaining(["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]),
      Resource: [
        "arn:aws:iam::123456789012:role/algobrain-plan",
        "arn:aws:iam::123456789012:role/algobrain-apply",
      ],
    },
  ]);
});

test("a plan reads no value of a secret and writes nothing but the lock", () => {
  for (const [type, name] of [
    ["aws_iam_policy", "look"],
    ["aws_iam_role_policy", "plan-power"],
  ] as const) {
    const allowed = allowedBy(production, type, name);
    for (const action of [
      ...["secretsmanager:GetSecretValue", "kms:Decrypt", "dynamodb:GetItem", "dynamodb:Scan"],
      ...["logs:GetLogEvents", "logs:StartQuery", "lambda:GetFunction", "ssm:GetParameter"],
      ...["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "sts:AssumeRole", "iam:PassRole"],
    ])
      expect(allowed(action), action).toBe(false);
  }
  const { policy } = production.resource("aws_iam_role_policy", "plan-power");
  const writes = statementsIn(policy).filter(
    ({ Effect, Action }) => Effect === "Allow" && Action.includes("s3:PutObject"),
  );
  expect(writes.map(({ Resource }) => Resource)).toEqual([
    ["arn:aws:s3:::algobrain-prod-terraform-state/*.tflock"],
  ]);
});

test("an apply deletes nothing that holds data, and reads no value of a secret", () => {
  for (const [type, name] of [
    ["aws_iam_policy", "apply-unnamed"],
    ["aws_iam_role_policy", "apply-power"],
  ] as const) {
    const allowed = allowedBy(production, type, name);
    for (const action of [
      ...["rds:DeleteDBCluster", "dynamodb:DeleteTable", "s3:DeleteBucket", "ecr:DeleteRepository"],
      ...["kms:ScheduleKeyDeletion", "secretsmanager:DeleteSecret", "ecr:BatchDeleteImage"],
      ...["secretsmanager:GetSecretValue", "elasticache:DeleteReplicationGroup", "ec2:DeleteVpc"],
      ...["ec2:RunInstances", "iam:CreateUser", "lambda:UpdateFunctionCode"],
    ])
      expect(allowed(action), action).toBe(false);
  }
});

test("GitHub's workflows are known by audience and whole subject, never by a pattern (X-41)", () => {
  const trust = (output: Synthesized, role: string) =>
    statementsIn(output.resource("aws_iam_role", role).assume_role_policy)[0]!.Condition;
  const host = "token.actions.githubusercontent.com";
  expect(trust(production, "apply-role")).toEqual({
    StringEquals: {
      [`${host}:aud`]: "sts.amazonaws.com",
      [`${host}:sub`]: ["repo:Algodons/AlgoBrainDoctor:environment:production"],
    },
  });
  expect(trust(staging, "plan-role")?.StringEquals?.[`${host}:sub`]).toEqual([
    "repo:Algodons/AlgoBrainDoctor:pull_request",
    "repo:Algodons@12/AlgoBrainDoctor@34:pull_request",
    "repo:Algodons/AlgoBrainDoctor:ref:refs/heads/main",
    "repo:Algodons@12/AlgoBrainDoctor@34:ref:refs/heads/main",
    "repo:Algodons/AlgoBrainDoctor:environment:production",
    "repo:Algodons@12/AlgoBrainDoctor@34:environment:production",
  ]);
  expect(trust(production, "push-role")?.StringEquals?.[`${host}:sub`]).toEqual([
    "repo:Algodons/AlgoBrainDoctor:environment:images",
  ]);
});

test("who builds images pushes them into our repositories, and does nothing else", () => {
  const allowed = allowedBy(production, "aws_iam_role_policy", "push-power");
  expect(["ecr:PutImage", "ecr:GetAuthorizationToken", "ecr:DescribeImages"].every(allowed)).toBe(
    true,
  );
  for (const action of [
    "ecr:BatchDeleteImage",
    "ecs:UpdateService",
    "iam:PassRole",
    "s3:GetObject",
  ])
    expect(allowed(action), action).toBe(false);
  const [, push] = statementsIn(production.resource("aws_iam_role_policy", "push-power").policy);
  expect(push!.Resource).toContain("arn:aws:ecr:us-east-1:123456789012:repository/algobrain-api");
  expect(staging.resources("aws_iam_role")).not.toHaveProperty("push-role");
});

test("an account has one provider: production makes it, staging finds it", () => {
  expect(Object.keys(production.resources("aws_iam_openid_connect_provider"))).toEqual(["github"]);
  expect(staging.resources("aws_iam_openid_connect_provider")).toEqual({});
});

test("what runbooks work as is taken by the executor's tasks alone", () => {
  const { assume_role_policy } = production.resource("aws_iam_role", "executor-role");
  const { name } = production.resource("aws_iam_role", "executor-task-role");
  expect(statementsIn(assume_role_policy)).toMatchObject([
    {
      Principal: { AWS: "arn:aws:iam::123456789012:root" },
      Condition: { ArnEquals: { "aws:PrincipalArn": `arn:aws:iam::123456789012:role/${name}` } },
    },
  ]);
});

/** Whether an `Allow` of this policy matches an action; `*` is the only sign that IAM knows here. */
function allowedBy(output: Synthesized, type: string, name: string): (action: string) => boolean {
  const patterns = statementsIn(output.resource(type, name).policy)
    .filter(({ Effect }) => Effect === "Allow")
    .flatMap(({ Action }) => Action);
  return (action) => patterns.some((pattern) => matches(pattern, action));
}

/** How AWS calls the making of each type; one that is missing here has not been thought of. */
const MAKES: Readonly<Record<string, string>> = {
  aws_acm_certificate: "acm:RequestCertificate",
  aws_acm_certificate_validation: "acm:DescribeCertificate",
  aws_appautoscaling_policy: "application-autoscaling:PutScalingPolicy",
  aws_appautoscaling_target: "application-autoscaling:RegisterScalableTarget",
  aws_cloudformation_stack: "cloudformation:CreateStack",
  aws_cloudfront_cache_policy: "cloudfront:CreateCachePolicy",
  aws_cloudfront_distribution: "cloudfront:CreateDistribution",
  aws_cloudfront_origin_access_control: "cloudfront:CreateOriginAccessControl",
  aws_cloudfront_response_headers_policy: "cloudfront:CreateResponseHeadersPolicy",
  aws_cloudwatch_dashboard: "cloudwatch:PutDashboard",
  aws_cloudwatch_log_group: "logs:CreateLogGroup",
  aws_cloudwatch_log_subscription_filter: "logs:PutSubscriptionFilter",
  aws_cloudwatch_metric_alarm: "cloudwatch:PutMetricAlarm",
  aws_cloudwatch_query_definition: "logs:PutQueryDefinition",
  aws_db_subnet_group: "rds:CreateDBSubnetGroup",
  aws_default_security_group: "ec2:RevokeSecurityGroupIngress",
  aws_dynamodb_table: "dynamodb:CreateTable",
  aws_ecr_lifecycle_policy: "ecr:PutLifecyclePolicy",
  aws_ecr_repository: "ecr:CreateRepository",
  aws_ecs_cluster: "ecs:CreateCluster",
  aws_ecs_service: "ecs:CreateService",
  aws_ecs_task_definition: "ecs:RegisterTaskDefinition",
  aws_eip: "ec2:AllocateAddress",
  aws_elasticache_replication_group: "elasticache:CreateReplicationGroup",
  aws_elasticache_subnet_group: "elasticache:CreateCacheSubnetGroup",
  aws_flow_log: "ec2:CreateFlowLogs",
  aws_iam_role: "iam:CreateRole",
  aws_iam_role_policies_exclusive: "iam:PutRolePolicy",
  aws_iam_role_policy: "iam:PutRolePolicy",
  aws_iam_role_policy_attachment: "iam:AttachRolePolicy",
  aws_iam_role_policy_attachments_exclusive: "iam:AttachRolePolicy",
  aws_internet_gateway: "ec2:CreateInternetGateway",
  aws_kms_alias: "kms:CreateAlias",
  aws_kms_key: "kms:CreateKey",
  aws_lambda_permission: "lambda:AddPermission",
  aws_lb: "elasticloadbalancing:CreateLoadBalancer",
  aws_lb_listener: "elasticloadbalancing:CreateListener",
  aws_lb_target_group: "elasticloadbalancing:CreateTargetGroup",
  aws_nat_gateway: "ec2:CreateNatGateway",
  aws_rds_cluster: "rds:CreateDBCluster",
  aws_rds_cluster_instance: "rds:CreateDBInstance",
  aws_rds_cluster_parameter_group: "rds:CreateDBClusterParameterGroup",
  aws_route: "ec2:CreateRoute",
  aws_route_table: "ec2:CreateRouteTable",
  aws_route_table_association: "ec2:AssociateRouteTable",
  aws_s3_bucket: "s3:CreateBucket",
  aws_s3_bucket_lifecycle_configuration: "s3:PutLifecycleConfiguration",
  aws_s3_bucket_logging: "s3:PutBucketLogging",
  aws_s3_bucket_ownership_controls: "s3:PutBucketOwnershipControls",
  aws_s3_bucket_policy: "s3:PutBucketPolicy",
  aws_s3_bucket_public_access_block: "s3:PutBucketPublicAccessBlock",
  aws_s3_bucket_server_side_encryption_configuration: "s3:PutEncryptionConfiguration",
  aws_s3_bucket_versioning: "s3:PutBucketVersioning",
  aws_secretsmanager_secret: "secretsmanager:CreateSecret",
  aws_security_group: "ec2:CreateSecurityGroup",
  aws_sns_topic: "sns:CreateTopic",
  aws_sns_topic_subscription: "sns:Subscribe",
  aws_subnet: "ec2:CreateSubnet",
  aws_vpc: "ec2:CreateVpc",
  aws_vpc_endpoint: "ec2:CreateVpcEndpoint",
  aws_vpc_security_group_egress_rule: "ec2:AuthorizeSecurityGroupEgress",
  aws_vpc_security_group_ingress_rule: "ec2:AuthorizeSecurityGroupIngress",
};
/** Made by an administrator, by `bootstrap`: whoever could make these could have any power. */
const BY_BOOTSTRAP = ["aws_iam_openid_connect_provider", "aws_iam_policy"];

test("an apply may make every type that the stacks have, but what bounds it", () => {
  const allowed = [
    allowedBy(production, "aws_iam_role_policy", "apply-power"),
    allowedBy(production, "aws_iam_policy", "apply-unnamed"),
    allowedBy(production, "aws_iam_policy", "look"),
  ];
  const types = Object.values(production.documents).flatMap((document) =>
    elementsOf(document, "resource").map(({ type }) => type),
  );
  for (const type of new Set(types)) {
    if (BY_BOOTSTRAP.includes(type)) continue;
    const makes = MAKES[type];
    expect([type, makes !== undefined && allowed.some((may) => may(makes))]).toEqual([type, true]);
  }
});

const MIGRATOR_SECRET = `\${data.terraform_remote_state.data.outputs.migrator_secret_arn}`;
/** What a runbook declares and the executor does not have, each with the reason. */
const NOT_OF_THE_EXECUTOR: Readonly<Record<string, string>> = {
  "build-and-push-images":
    "needs an engine for containers: it runs where people build, with their rights",
};

test("the executor may do what each runbook declares that it does in AWS", async () => {
  const granted = statementsIn(production.resource("aws_iam_role_policy", "executor-power").policy);
  const place = awsEstate(handbookPolicy(), { queries: {}, distributionId: null });
  // RDS makes up the name of its secret.
  const masterLogin = `arn:aws:secretsmanager:${place.region}:${place.account}:secret:rds!cluster-0f5c9a3e-AbCdEf`;
  const told = (resource: string) => (resource === MIGRATOR_SECRET ? masterLogin : resource);
  const has = (action: string, resources: readonly string[]) =>
    granted.some(
      ({ Action, Resource = [] }) =>
        Action.some((pattern) => matches(pattern, action)) &&
        resources.some((one) => Resource.some((other) => overlap(one, told(other)))),
    );
  const missing: string[] = [];
  for (const { runbook } of (await loadRunbooks()).list()) {
    if (runbook.name in NOT_OF_THE_EXECUTOR) continue;
    for (const { actions, resources } of filled(runbook.touches.aws ?? [], place)) {
      const refused = actions.filter((action) => !has(action, resources));
      missing.push(...refused.map((action) => `${runbook.name}: ${action} on ${resources}`));
    }
  }
  expect(missing).toEqual([]);
});

test("the executor reads one secret of RDS: that of the master user (RB-98)", () => {
  const granted = statementsIn(production.resource("aws_iam_role_policy", "executor-power").policy);
  const login = granted.filter(({ Resource = [] }) => Resource.join().includes("migrator_secret"));
  expect(login).toMatchObject([
    {
      Action: ["secretsmanager:GetSecretValue"],
      Resource: [MIGRATOR_SECRET],
    },
  ]);
  expect(JSON.stringify(granted)).not.toContain("rds!");
});

test("whoever applies may run the task that prepares, and no runbook may", () => {
  const handed = (name: string) =>
    statementsIn(production.resource("aws_iam_role_policy", name).policy)
      .filter(({ Action }) => Action.includes("iam:PassRole"))
      .flatMap(({ Resource = [] }) => Resource);
  const role = "arn:aws:iam::123456789012:role/algobrain-prepare-task";
  const mayHand = (name: string) => handed(name).some((pattern) => matches(pattern, role));
  expect([mayHand("apply-power"), mayHand("executor-power")]).toEqual([true, false]);
});

/** Two patterns with a star at their end at most: the longer one lies within the shorter one's, or they share nothing. */
function overlap(one: string, other: string): boolean {
  return matches(one, other.replace(/\*$/, "")) || matches(other, one.replace(/\*$/, ""));
}

function matches(pattern: string, text: string): boolean {
  const literal = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literal.join(".*")}$`).test(text);
}

test("runbooks look for things by the names that the stacks give them", () => {
  for (const [output, policy] of [
    [production, handbookPolicy()],
    [staging, stagingPolicy()],
  ] as const) {
    const place = awsEstate(policy, { queries: {}, distributionId: null });
    const names = (type: string, attribute: string) =>
      Object.values(output.resources(type)).map((body) => body[attribute]);
    for (const { family, logGroup, name } of Object.values(place.services)) {
      expect(names("aws_ecs_task_definition", "family")).toContain(family);
      expect(names("aws_cloudwatch_log_group", "name")).toContain(logGroup);
      expect(names("aws_ecs_service", "name")).toContain(name);
    }
    expect(names("aws_ecs_task_definition", "family")).toContain(place.migrationFamily);
    expect(names("aws_ecs_cluster", "name")).toEqual([place.cluster]);
    expect(names("aws_rds_cluster", "cluster_identifier")).toEqual([place.databaseCluster]);
    expect(names("aws_elasticache_replication_group", "replication_group_id")).toEqual([
      place.cacheGroup,
    ]);
    expect(names("aws_secretsmanager_secret", "name")).toContain(place.secretOf("jwt-secret"));
    for (const use of ["exports", "bundle", "frontend"] as const)
      expect(names("aws_s3_bucket", "bucket")).toContain(place.bucketOf(use));
  }
  const { services } = awsEstate(handbookPolicy(), { queries: {}, distributionId: null });
  expect(
    Object.values(services)
      .map(({ repository }) => repository)
      .sort(),
  ).toEqual(
    Object.values(production.resources("aws_ecr_repository"))
      .map(({ name }) => name)
      .sort(),
  );
});
