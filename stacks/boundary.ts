/**
 * The line that no role of ours crosses, whatever its own policy says. It gives nothing by itself:
 * a role may do what both its policy and this line allow. Every role that an apply makes must carry it,
 * so that whoever may apply cannot make a role that is mightier.
 */
import type { PolicySet } from "../src/policy/policy.js";
import { iamArn, qualified } from "./names.js";
import type { Statement } from "./statement.js";

/** The services that the system stands on; whole, since each role says which of their actions it has. */
const SERVICES_IN_USE = [
  "acm",
  "application-autoscaling",
  "cloudformation",
  "cloudfront",
  "cloudwatch",
  "dynamodb",
  "ec2",
  "ecr",
  "ecs",
  "elasticache",
  "elasticloadbalancing",
  "kms",
  "lambda",
  "logs",
  "rds",
  "s3",
  "secretsmanager",
  "sns",
  "ssmmessages",
  "sts",
];

/** What changes what a role may do. */
const REINS = [
  "iam:AttachRolePolicy",
  "iam:CreateRole",
  "iam:DeleteRolePolicy",
  "iam:DetachRolePolicy",
  "iam:PutRolePermissionsBoundary",
  "iam:PutRolePolicy",
];

export function boundaryName(policy: PolicySet): string {
  return qualified(policy, "boundary");
}

export function boundaryArn(policy: PolicySet): string {
  return iamArn(policy, `policy/${boundaryName(policy)}`);
}

export function boundary(policy: PolicySet): Statement[] {
  return [
    {
      Sid: "ServicesInUse",
      Effect: "Allow",
      Action: SERVICES_IN_USE.map((service) => `${service}:*`),
      Resource: ["*"],
    },
    // Roles and nothing else of IAM: no users, no keys, no policies of their own, this one included.
    {
      Sid: "RolesOnly",
      Effect: "Allow",
      Action: [...REINS, "iam:*Role", "iam:Get*", "iam:List*", "iam:UpdateAssumeRolePolicy"],
      Resource: ["*"],
    },
    {
      Sid: "NoRoleBeyondTheLine",
      Effect: "Deny",
      Action: REINS,
      Resource: ["*"],
      Condition: { StringNotEquals: { "iam:PermissionsBoundary": boundaryArn(policy) } },
    },
    {
      Sid: "NotTheirOwn",
      Effect: "Deny",
      Action: [...REINS, "iam:DeleteRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"],
      Resource: ["plan", "apply"].map((role) => iamArn(policy, `role/${qualified(policy, role)}`)),
    },
  ];
}
