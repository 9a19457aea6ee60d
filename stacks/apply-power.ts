/**
 * What an apply may: make and change what these stacks have, by name where AWS knows names before a thing
 * is made. What holds data it may make and change but not delete: not a cluster, a table, a bucket, a key
 * or a secret. It may also deploy: push images and start tasks. What a plan may look at it may, too.
 */
import type { PolicySet } from "../src/policy/policy.js";
import { arnOf, bucketArns, iamArn, ownNames, secretPath, stateBucketName } from "./names.js";
import type { Statement } from "./statement.js";

export function applyPower(policy: PolicySet): Statement[] {
  return [
    writeState(policy),
    ...roles(policy),
    ...byName(policy),
    ...buckets(policy),
    secrets(policy),
  ];
}

function writeState(policy: PolicySet): Statement {
  const bucket = `arn:aws:s3:::${stateBucketName(policy)}`;
  return {
    Sid: "State",
    Effect: "Allow",
    Action: ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    Resource: [bucket, `${bucket}/*`],
  };
}

/** The boundary says the rest: no role without it, and not these roles themselves. */
function roles(policy: PolicySet): Statement[] {
  const arns = ownNames(policy).map((name) => iamArn(policy, `role/${name}`));
  return [
    {
      Sid: "Roles",
      Effect: "Allow",
      Action: [
        ...["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy"],
        ...["iam:DetachRolePolicy", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole"],
        ...["iam:UpdateAssumeRolePolicy", "iam:UpdateRole"],
      ],
      Resource: arns,
    },
    {
      Sid: "HandRolesToTasks",
      Effect: "Allow",
      Action: ["iam:PassRole"],
      Resource: arns,
      Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
    },
  ];
}

interface Named {
  /** What the last part of its ARNs begins with, before the name. */
  readonly kinds: readonly string[];
  readonly actions: readonly string[];
}

/** What may be done, by service, to things that carry our names. */
const NAMED: Readonly<Record<string, Named>> = {
  cloudformation: { kinds: ["stack/"], actions: ["CreateStack", "DeleteStack", "UpdateStack"] },
  cloudwatch: {
    kinds: ["alarm:"],
    actions: ["DeleteAlarms", "PutMetricAlarm", "TagResource", "UntagResource"],
  },
  ecs: {
    kinds: ["cluster/", "service/", "task/", "task-definition/"],
    actions: [
      ...["CreateCluster", "CreateService", "DeleteService", "RegisterTaskDefinition", "RunTask"],
      ...["StopTask", "TagResource", "UntagResource", "UpdateCluster", "UpdateClusterSettings"],
      "UpdateService",
    ],
  },
  elasticache: {
    kinds: ["cluster:", "parametergroup:", "replicationgroup:", "subnetgroup:"],
    actions: [
      ...["AddTagsToResource", "CreateCacheSubnetGroup", "CreateReplicationGroup"],
      ...["DecreaseReplicaCount", "IncreaseReplicaCount", "ModifyCacheSubnetGroup"],
      ...["ModifyReplicationGroup", "RemoveTagsFromResource"],
    ],
  },
  elasticloadbalancing: {
    kinds: ["listener/app/", "loadbalancer/app/", "targetgroup/"],
    actions: [
      ...["AddTags", "CreateListener", "CreateLoadBalancer", "CreateTargetGroup"],
      ...["DeleteListener", "DeleteTargetGroup", "ModifyListener", "ModifyListenerAttributes"],
      ...["ModifyLoadBalancerAttributes", "ModifyTargetGroup", "ModifyTargetGroupAttributes"],
      ...["RemoveTags", "SetSecurityGroups", "SetSubnets"],
    ],
  },
  lambda: { kinds: ["function:"], actions: ["AddPermission", "RemovePermission"] },
  rds: {
    kinds: ["cluster:", "cluster-pg:", "cluster-snapshot:", "db:", "subgrp:"],
    actions: [
      ...["AddTagsToResource", "CreateDBCluster", "CreateDBClusterParameterGroup"],
      ...["CreateDBClusterSnapshot", "CreateDBInstance", "CreateDBSubnetGroup"],
      ...["DeleteDBInstance", "ModifyDBCluster", "ModifyDBClusterParameterGroup"],
      ...["ModifyDBInstance", "ModifyDBSubnetGroup", "RemoveTagsFromResource"],
    ],
  },
  sns: {
    kinds: [""],
    actions: [
      ...["CreateTopic", "SetSubscriptionAttributes", "SetTopicAttributes", "Subscribe"],
      ...["TagResource", "Unsubscribe", "UntagResource"],
    ],
  },
};

function byName(policy: PolicySet): Statement[] {
  const allow = (
    service: string,
    actions: readonly string[],
    resources: readonly string[],
  ): Statement => ({
    Effect: "Allow",
    Action: actions.map((action) => `${service}:${action}`),
    Resource: resources,
  });
  const named = Object.entries(NAMED).map(([service, { kinds, actions }]) => {
    const resources = kinds.flatMap((kind) => ownNames(policy).map((name) => kind + name));
    return allow(
      service,
      actions,
      resources.map((resource) => arnOf(policy, service, resource)),
    );
  });
  const { heartbeatsTable } = policy.infrastructure;
  return [
    ...named,
    allow("logs", LOGS, logGroups(policy)),
    allow("ecr", IMAGES, [arnOf(policy, "ecr", `repository/${policy.system}-*`)]),
    allow("dynamodb", TABLE, [arnOf(policy, "dynamodb", `table/${heartbeatsTable}`)]),
  ];
}

/** Named after the services that write them, and after what they write of. Anybody else's keep their days. */
function logGroups(policy: PolicySet): string[] {
  return ["/ecs/", "/aws/rds/cluster/"].flatMap((place) =>
    ownNames(policy).map((name) => arnOf(policy, "logs", `log-group:${place}${name}`)),
  );
}

const LOGS = [
  ...["AssociateKmsKey", "CreateLogGroup", "DeleteSubscriptionFilter", "PutRetentionPolicy"],
  ...["PutSubscriptionFilter", "TagResource", "UntagResource"],
];
/** Repositories are one set an account, so their names say nothing of an environment. */
const IMAGES = [
  ...["BatchCheckLayerAvailability", "BatchGetImage", "CompleteLayerUpload"],
  ...["CreateRepository", "GetDownloadUrlForLayer", "InitiateLayerUpload", "PutImage"],
  ...["PutImageScanningConfiguration", "PutImageTagMutability", "PutLifecyclePolicy"],
  ...["TagResource", "UntagResource", "UploadLayerPart"],
];
const TABLE = [
  ...["CreateTable", "TagResource", "UntagResource", "UpdateContinuousBackups", "UpdateTable"],
];

/** Makes and changes buckets; what lies in them only where a deployment puts it. */
function buckets(policy: PolicySet): Statement[] {
  return [
    {
      Sid: "Buckets",
      Effect: "Allow",
      Action: [
        ...["s3:CreateBucket", "s3:DeleteBucketPolicy", "s3:ListBucket", "s3:PutBucket*"],
        ...["s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"],
      ],
      Resource: bucketArns(policy),
    },
    {
      Sid: "PublishPolicies",
      Effect: "Allow",
      Action: ["s3:GetObject", "s3:PutObject"],
      Resource: [`arn:aws:s3:::${policy.infrastructure.bundleBucket}/*`],
    },
  ];
}

/** Their containers; values are for people and for runbooks. `rds!…` is the one that RDS makes for its master user. */
function secrets(policy: PolicySet): Statement {
  return {
    Sid: "Secrets",
    Effect: "Allow",
    Action: [
      ...["secretsmanager:CreateSecret", "secretsmanager:TagResource"],
      ...["secretsmanager:UntagResource", "secretsmanager:UpdateSecret"],
    ],
    Resource: [
      arnOf(policy, "secretsmanager", `secret:${secretPath(policy, "*")}`),
      arnOf(policy, "secretsmanager", "secret:rds!*"),
    ],
  };
}
