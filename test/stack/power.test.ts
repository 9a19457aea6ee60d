/** GIVEN production and staging in one account, WHEN synthesized, THEN nobody may do more than their work (X-41, HB-req-01). */
import { beforeAll, expect, test } from "vitest";
import type { Json } from "../../src/base/json.js";
import { elementsOf } from "../../stacks/schema-check.js";
import { makePolicy } from "../support/make-policy.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

let production: Synthesized;
let staging: Synthesized;
beforeAll(async () => {
  const policy = makePolicy();
  production = await synthesized(policy);
  staging = await synthesized({
    ...policy,
    environment: "staging",
    infrastructure: {
      ...policy.infrastructure,
      cluster: "algobrain-staging",
      identity: {
        ...policy.infrastructure.identity,
        ...{ oidcProvider: "existing", ownerId: "12", repoId: "34" },
      },
    },
  });
});

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
  ]);
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
  return (action) =>
    patterns.some((pattern) => new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(action));
}
