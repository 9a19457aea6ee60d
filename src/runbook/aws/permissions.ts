/**
 * Permissions that several runbooks declare, by what they are for. Braces are filled in from the place of the run.
 * Where a resource is `*`, AWS knows no narrower one for those actions (Service Authorization Reference).
 */
import type { AwsPermission } from "../power.js";

/** Services, their tasks and revisions. */
export const READ_SERVICES: readonly AwsPermission[] = [
  {
    actions: ["ecs:DescribeServices"],
    resources: ["arn:aws:ecs:{region}:{account}:service/{cluster}/*"],
  },
  {
    actions: ["ecs:DescribeTasks"],
    resources: ["arn:aws:ecs:{region}:{account}:task/{cluster}/*"],
  },
  // Tasks are listed by where they may run, on Fargate too.
  {
    actions: ["ecs:ListTasks"],
    resources: ["arn:aws:ecs:{region}:{account}:container-instance/{cluster}/*"],
  },
  { actions: ["ecs:ListTaskDefinitions", "ecs:DescribeTaskDefinition"], resources: ["*"] },
];

export const UPDATE_SERVICES: readonly AwsPermission[] = [
  {
    actions: ["ecs:UpdateService"],
    resources: ["arn:aws:ecs:{region}:{account}:service/{cluster}/*"],
  },
];

/** The row of the orchestrator, and what services log. */
export const READ_SIGNS_OF_LIFE: readonly AwsPermission[] = [
  {
    actions: ["dynamodb:GetItem"],
    resources: ["arn:aws:dynamodb:{region}:{account}:table/{system}-*"],
  },
  {
    actions: ["logs:StartQuery"],
    resources: ["arn:aws:logs:{region}:{account}:log-group:/ecs/{system}-*"],
  },
  { actions: ["logs:GetQueryResults", "logs:StopQuery"], resources: ["*"] },
];

export const READ_ALARMS: readonly AwsPermission[] = [
  {
    actions: ["cloudwatch:DescribeAlarms"],
    resources: ["arn:aws:cloudwatch:{region}:{account}:alarm:{cluster}-*"],
  },
];

export const READ_IMAGES: readonly AwsPermission[] = [
  {
    actions: ["ecr:DescribeImages"],
    resources: ["arn:aws:ecr:{region}:{account}:repository/{system}-*"],
  },
];

export const READ_LIMITS: readonly AwsPermission[] = [
  {
    actions: [
      "application-autoscaling:DescribeScalableTargets",
      "application-autoscaling:DescribeScalingPolicies",
    ],
    resources: ["*"],
  },
];

export const READ_DATABASE: readonly AwsPermission[] = [
  {
    actions: ["rds:DescribeDBClusters"],
    resources: ["arn:aws:rds:{region}:{account}:cluster:{cluster}*"],
  },
];

/** The login of the master user, under a name that RDS makes up: the executor's role holds the one of this environment alone. */
export const READ_MASTER_LOGIN: readonly AwsPermission[] = [
  ...READ_DATABASE,
  {
    actions: ["secretsmanager:GetSecretValue"],
    resources: ["arn:aws:secretsmanager:{region}:{account}:secret:rds!cluster-*"],
  },
];

export const READ_CACHE: readonly AwsPermission[] = [
  {
    actions: ["elasticache:DescribeReplicationGroups", "elasticache:DescribeCacheClusters"],
    resources: [
      "arn:aws:elasticache:{region}:{account}:replicationgroup:{cluster}*",
      "arn:aws:elasticache:{region}:{account}:cluster:{cluster}*",
    ],
  },
];
