/**
 * What an apply may do to things whose names or ids AWS makes: in one region, and never to what another environment's stacks
 * have made. A policy of its own, since IAM bounds the length of a role's own.
 */
import type { PolicySet } from "../src/policy/policy.js";
import { arnOf, iamArn } from "./names.js";
import type { Statement } from "./statement.js";

export function applyPowerUnnamed(policy: PolicySet): Statement[] {
  return [
    network(policy),
    ...keys(policy),
    sign(policy),
    rolesOfAws(policy),
    withoutName(policy),
    edges(),
    notOfOthers(policy),
  ];
}

/** Ids of networks are made by AWS: no name to hold on to, so at least no other region. */
function network(policy: PolicySet): Statement {
  return {
    Sid: "Network",
    Effect: "Allow",
    Action: NETWORK.map((name) => `ec2:${name}`),
    Resource: ["*"],
    Condition: inRegion(policy),
  };
}

const NETWORK = [
  ...["CreateVpc", "ModifyVpcAttribute", "CreateTags", "DeleteTags"],
  ...["CreateSubnet", "DeleteSubnet", "ModifySubnetAttribute"],
  ...["CreateInternetGateway", "AttachInternetGateway", "DetachInternetGateway"],
  ...["DeleteInternetGateway", "AllocateAddress", "AssociateAddress", "DisassociateAddress"],
  ...["ReleaseAddress", "CreateNatGateway", "DeleteNatGateway"],
  ...["CreateRouteTable", "DeleteRouteTable", "AssociateRouteTable", "DisassociateRouteTable"],
  ...["ReplaceRouteTableAssociation", "CreateRoute", "ReplaceRoute", "DeleteRoute"],
  ...["CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"],
  ...["CreateFlowLogs", "DeleteFlowLogs", "CreateSecurityGroup", "DeleteSecurityGroup"],
  ...["AuthorizeSecurityGroup*", "RevokeSecurityGroup*", "ModifySecurityGroupRules"],
  "UpdateSecurityGroupRuleDescriptions*",
];

/** A key has no name of ours before it is made; afterwards its tags say whose it is. */
function keys(policy: PolicySet): Statement[] {
  const ours = {
    "aws:ResourceTag/system": policy.system,
    "aws:ResourceTag/environment": policy.environment,
  };
  return [
    {
      Sid: "MakeKey",
      Effect: "Allow",
      Action: ["kms:CreateKey", "kms:TagResource"],
      Resource: ["*"],
      Condition: inRegion(policy),
    },
    {
      Sid: "ChangeKey",
      Effect: "Allow",
      Action: [
        ...["kms:CreateAlias", "kms:CreateGrant", "kms:Decrypt", "kms:EnableKeyRotation"],
        ...["kms:GenerateDataKey", "kms:PutKeyPolicy", "kms:UntagResource", "kms:UpdateAlias"],
        "kms:UpdateKeyDescription",
      ],
      Resource: [arnOf(policy, "kms", "key/*")],
      Condition: { StringEquals: ours },
    },
    {
      Sid: "NameKey",
      Effect: "Allow",
      Action: ["kms:CreateAlias", "kms:UpdateAlias"],
      Resource: [arnOf(policy, "kms", `alias/${policy.infrastructure.cluster}`)],
    },
  ];
}

/**
 * Published policies are signed by a key that an administrator makes and names: no stack has it, since who could make it anew
 * could be believed anew (docs/operating.md).
 */
function sign(policy: PolicySet): Statement {
  return {
    Sid: "SignPolicies",
    Effect: "Allow",
    Action: ["kms:GetPublicKey", "kms:Sign"],
    Resource: [arnOf(policy, "kms", "key/*")],
    Condition: {
      "ForAnyValue:StringEquals": {
        "kms:ResourceAliases": `alias/${policy.infrastructure.cluster}-policies`,
      },
    },
  };
}

function rolesOfAws(policy: PolicySet): Statement {
  return {
    Sid: "RolesOfAws",
    Effect: "Allow",
    Action: ["iam:CreateServiceLinkedRole"],
    Resource: [iamArn(policy, "role/aws-service-role/*")],
    Condition: { StringEquals: { "iam:AWSServiceName": OWN_ROLES } },
  };
}

/** Services that act for us by a role of their own. */
const OWN_ROLES = [
  ...["ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com"],
  ...["elasticache.amazonaws.com", "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com"],
];

/** Actions that AWS binds to no resource, or to one whose id nobody can know before. */
function withoutName(policy: PolicySet): Statement {
  return {
    Sid: "WithoutName",
    Effect: "Allow",
    Action: [
      ...["acm:AddTagsToCertificate", "acm:RequestCertificate"],
      ...[
        "application-autoscaling:DeleteScalingPolicy",
        "application-autoscaling:DeregisterScalableTarget",
      ],
      ...[
        "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:RegisterScalableTarget",
      ],
      ...["application-autoscaling:TagResource", "cloudwatch:DeleteDashboards"],
      ...["cloudwatch:PutDashboard", "ecr:GetAuthorizationToken", "ecs:DeregisterTaskDefinition"],
      ...["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DeleteQueryDefinition"],
      "logs:PutQueryDefinition",
    ],
    Resource: ["*"],
    Condition: inRegion(policy),
  };
}

/** The network of edges has one home, whatever the region of the policy is. */
function edges(): Statement {
  return {
    Sid: "Edges",
    Effect: "Allow",
    Action: [
      ...["CreateCachePolicy", "CreateDistribution", "CreateInvalidation"],
      ...["CreateOriginAccessControl", "UpdateCachePolicy"],
      ...["CreateResponseHeadersPolicy", "GetInvalidation", "TagResource", "UntagResource"],
      ...["UpdateDistribution", "UpdateOriginAccessControl", "UpdateResponseHeadersPolicy"],
    ].map((name) => `cloudfront:${name}`),
    Resource: ["*"],
  };
}

/**
 * Two environments may share an account, and names alone do not keep them apart: networks have none, and production's bare
 * ones begin as staging's do. What another environment's stacks have made says so itself.
 */
function notOfOthers({ system, environment }: PolicySet): Statement {
  return {
    Sid: "NotOfOthers",
    Effect: "Deny",
    Action: TAGGED.map((service) => `${service}:*`),
    Resource: ["*"],
    Condition: {
      StringEquals: {
        "aws:ResourceTag/system": system,
        "aws:ResourceTag/managed-by": "terraform",
      },
      StringNotEquals: { "aws:ResourceTag/environment": environment },
    },
  };
}

/** Services whose actions know the tags of what they change. Images are one set for all environments, so not theirs. */
const TAGGED = [
  ...["cloudfront", "cloudwatch", "dynamodb", "ec2", "ecs", "elasticache"],
  ...["elasticloadbalancing", "logs", "rds", "sns"],
];

function inRegion({ infrastructure }: PolicySet) {
  return { StringEquals: { "aws:RequestedRegion": infrastructure.region } };
}
