/**
 * Two roles a service: ECS itself starts tasks with the one, the processes inside act with the other.
 * Each may do what its service needs and nothing more (design 3, 15), and neither may outgrow the boundary that the
 * identity stack draws.
 */

import { IamRole } from "#aws/iam-role";
import { IamRolePolicy } from "#aws/iam-role-policy";
import { IamRolePolicyAttachment } from "#aws/iam-role-policy-attachment";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import type { ServiceName } from "../src/policy/services.js";
import { hasRemoteShell } from "./container.js";
import { qualified, roleName } from "./names.js";
import { policyDocument, type Statement } from "./statement.js";

/** Pull the image, write to the log group. */
const START_TASKS = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

export interface TaskRoles {
  readonly executionArn: string;
  readonly taskArn: string;
}

/** What the other stacks have made and a role of ours is allowed to touch: ARNs. */
export interface RoleInputs {
  readonly boundaryArn: string;
  readonly keyArn: string;
  readonly heartbeatsTableArn: string;
  readonly exportsBucketArn: string;
  readonly bundleBucketArn: string;
  readonly executorRoleArn: string;
}

export interface TaskRolesOptions {
  readonly service: ServiceName;
  readonly secretArns: readonly string[];
  /** Of the log group that remote shells are recorded in. */
  readonly shellLogsArn: string;
  readonly inputs: RoleInputs;
}

export function makeTaskRoles(
  stack: TerraformStack,
  policy: PolicySet,
  options: TaskRolesOptions,
): TaskRoles {
  const { service, inputs, secretArns } = options;
  const execution = makeExecutionRole(stack, policy, { name: service, secretArns, inputs });
  const task = makeRole(stack, inputs, roleName(policy, service, "task"), `${service}-task`);
  const statements = taskStatements(policy, options);
  // A policy without statements is refused.
  if (statements.length > 0) grant(stack, `${service}-task-policy`, task, statements);
  return { executionArn: execution.arn, taskArn: task.arn };
}

export interface ExecutionRoleOptions {
  /** Of the service, or of the task that is none. */
  readonly name: string;
  readonly secretArns: readonly string[];
  readonly inputs: Pick<RoleInputs, "boundaryArn" | "keyArn">;
}

/** What ECS starts a task with: its image, its log, and its own secrets alone. */
export function makeExecutionRole(
  stack: TerraformStack,
  policy: PolicySet,
  { name, secretArns, inputs }: ExecutionRoleOptions,
): IamRole {
  const id = `${name}-execution`;
  const role = makeRole(stack, inputs, qualified(policy, id), id);
  new IamRolePolicyAttachment(stack, `${id}-start`, { role: role.name, policyArn: START_TASKS });
  grant(stack, `${id}-secrets`, role, [
    { Effect: "Allow", Action: ["secretsmanager:GetSecretValue"], Resource: secretArns },
    decrypt(policy, inputs, "secretsmanager"),
  ]);
  return role;
}

export interface TaskRoleOptions {
  /** Of a task that is no service. */
  readonly name: string;
  readonly inputs: Pick<RoleInputs, "boundaryArn">;
  /** At least one: a policy without is refused. */
  readonly statements: readonly Statement[];
}

/** What the process inside acts with. */
export function makeTaskRole(
  stack: TerraformStack,
  policy: PolicySet,
  { name, inputs, statements }: TaskRoleOptions,
): IamRole {
  const id = `${name}-task`;
  const role = makeRole(stack, inputs, qualified(policy, id), id);
  grant(stack, `${id}-policy`, role, statements);
  return role;
}

function makeRole(
  stack: TerraformStack,
  { boundaryArn }: Pick<RoleInputs, "boundaryArn">,
  name: string,
  id: string,
): IamRole {
  return new IamRole(stack, `${id}-role`, {
    name,
    permissionsBoundary: boundaryArn,
    assumeRolePolicy: policyDocument([
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
  new IamRolePolicy(stack, id, { name: id, role: role.name, policy: policyDocument(statements) });
}

function taskStatements(policy: PolicySet, options: TaskRolesOptions): Statement[] {
  const { service, shellLogsArn, inputs } = options;
  return [
    ...(hasRemoteShell(service) ? remoteShell(shellLogsArn, inputs.keyArn) : []),
    ...(policy.infrastructure.policyKeys.length > 0 ? readBundles(policy, inputs) : []),
    ...(service === "orchestrator" ? [publishMetrics(policy), beat(inputs)] : []),
    ...(service === "workers" ? writeExports(policy, inputs) : []),
    ...(service === "executor" ? [actAsRun(inputs)] : []),
  ];
}

/**
 * PutMetricData knows no resources; the namespace is the only bound there is (HB-aws-09). Only the orchestrator
 * publishes: whoever else could write its heartbeat could silence the dead-man alarm.
 */
function publishMetrics({ infrastructure }: PolicySet): Statement {
  return {
    Effect: "Allow",
    Action: ["cloudwatch:PutMetricData"],
    Resource: ["*"],
    Condition: { StringEquals: { "cloudwatch:namespace": infrastructure.namespace } },
  };
}

/** The row that people ask for by hand, too (HB-aws-13, HB-cli-14). */
function beat({ heartbeatsTableArn }: RoleInputs): Statement {
  return {
    Effect: "Allow",
    Action: ["dynamodb:PutItem", "dynamodb:GetItem"],
    Resource: [heartbeatsTableArn],
  };
}

/** ECS exec, encrypted and with its sessions logged (HB-aws-22). */
function remoteShell(logGroupArn: string, keyArn: string): Statement[] {
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
    { Effect: "Allow", Action: ["kms:Decrypt"], Resource: [keyArn] },
  ];
}

/** Without ListBucket an object that is not there looks like a refusal. */
function readBundles(policy: PolicySet, inputs: RoleInputs): Statement[] {
  const { bundleBucketArn } = inputs;
  return [
    {
      Effect: "Allow",
      Action: ["s3:GetObject", "s3:ListBucket"],
      Resource: [bundleBucketArn, `${bundleBucketArn}/*`],
    },
    decrypt(policy, inputs, "s3"),
  ];
}

function writeExports(policy: PolicySet, inputs: RoleInputs): Statement[] {
  return [
    {
      Effect: "Allow",
      // What has arrived is read again: the parts, to take an upload up again, and the whole, after a lost answer.
      Action: [
        "s3:PutObject",
        "s3:GetObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
      ],
      Resource: [`${inputs.exportsBucketArn}/*`],
    },
    // An upload in parts is read again while it is put together.
    throughService(policy, inputs, "s3", ["kms:GenerateDataKey", "kms:Decrypt"]),
  ];
}

/** The process itself can do nothing: each run takes this role, narrowed to what its runbook declares. */
function actAsRun({ executorRoleArn }: RoleInputs): Statement {
  return { Effect: "Allow", Action: ["sts:AssumeRole"], Resource: [executorRoleArn] };
}

function decrypt(
  policy: PolicySet,
  inputs: Pick<RoleInputs, "keyArn">,
  service: string,
): Statement {
  return throughService(policy, inputs, service, ["kms:Decrypt"]);
}

/** Our key, but only where that service of AWS uses it for us. */
export function throughService(
  { infrastructure }: PolicySet,
  { keyArn }: Pick<RoleInputs, "keyArn">,
  service: string,
  actions: readonly string[],
): Statement {
  return {
    Effect: "Allow",
    Action: actions,
    Resource: [keyArn],
    Condition: {
      StringEquals: { "kms:ViaService": `${service}.${infrastructure.region}.amazonaws.com` },
    },
  };
}
