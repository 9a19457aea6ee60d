/**
 * Two roles a service: ECS itself starts tasks with the one, the processes inside act with the other.
 * Each may do what its service needs and nothing more (design 3, 15).
 */

import { IamRole } from "#aws/iam-role";
import { IamRolePolicy } from "#aws/iam-role-policy";
import { IamRolePolicyAttachment } from "#aws/iam-role-policy-attachment";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { imageName, type ServiceName } from "./names.js";

/** Pull the image, write to the log group. */
const START_TASKS = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

export interface Statement {
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface TaskRoles {
  readonly executionArn: string;
  readonly taskArn: string;
}

export interface TaskRolesOptions {
  readonly service: ServiceName;
  readonly secretArns: readonly string[];
  readonly logGroupArn: string;
}

export function makeTaskRoles(
  stack: TerraformStack,
  policy: PolicySet,
  { service, secretArns, logGroupArn }: TaskRolesOptions,
): TaskRoles {
  const execution = makeRole(stack, policy, service, "execution");
  new IamRolePolicyAttachment(stack, `${service}-execution-start`, {
    role: execution.name,
    policyArn: START_TASKS,
  });
  grant(stack, `${service}-execution-secrets`, execution, [
    { Effect: "Allow", Action: ["secretsmanager:GetSecretValue"], Resource: secretArns },
  ]);
  const task = makeRole(stack, policy, service, "task");
  grant(stack, `${service}-task-policy`, task, [
    publishMetrics(policy),
    ...remoteShell(logGroupArn),
    ...(service === "workers" ? [writeExports(policy)] : []),
  ]);
  return { executionArn: execution.arn, taskArn: task.arn };
}

function makeRole(
  stack: TerraformStack,
  policy: PolicySet,
  service: ServiceName,
  use: "execution" | "task",
): IamRole {
  return new IamRole(stack, `${service}-${use}-role`, {
    name: `${imageName(policy, service)}-${policy.environment}-${use}`,
    assumeRolePolicy: document([
      {
        Effect: "Allow",
        Action: ["sts:AssumeRole"],
        Principal: { Service: "ecs-tasks.amazonaws.com" },
      },
    ]),
  });
}

function grant(
  stack: TerraformStack,
  id: string,
  role: IamRole,
  statements: readonly Statement[],
): void {
  new IamRolePolicy(stack, id, { name: id, role: role.name, policy: document(statements) });
}

/** PutMetricData knows no resources; the namespace is the only bound there is (HB-aws-09). */
function publishMetrics({ infrastructure }: PolicySet): Statement {
  return {
    Effect: "Allow",
    Action: ["cloudwatch:PutMetricData"],
    Resource: ["*"],
    Condition: { StringEquals: { "cloudwatch:namespace": infrastructure.namespace } },
  };
}

/** ECS exec, with its sessions logged (HB-aws-22). */
function remoteShell(logGroupArn: string): Statement[] {
  return [
    {
      Effect: "Allow",
      Action: [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ],
      Resource: ["*"],
    },
    { Effect: "Allow", Action: ["logs:DescribeLogGroups"], Resource: ["*"] },
    {
      Effect: "Allow",
      Action: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
      Resource: [`${logGroupArn}:*`],
    },
  ];
}

function writeExports({ infrastructure }: PolicySet): Statement {
  return {
    Effect: "Allow",
    Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
    Resource: [`arn:aws:s3:::${infrastructure.exportsBucket}/*`],
  };
}

function document(statements: readonly object[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}
