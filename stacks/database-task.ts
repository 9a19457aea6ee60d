/**
 * The tasks that work as the database's master user, each run once and never as a service; the services are other users,
 * who may not (HB-aws-24). `migrate` is run by every deployment before the services move (deploy-services), `prepare`
 * before the services are made (docs/deploying.md).
 */

import { EcsTaskDefinition } from "#aws/ecs-task-definition";
import type { TerraformStack } from "#cdk";
import { assert } from "../src/base/assert.js";
import type { PolicySet } from "../src/policy/policy.js";
import { secretsInUse } from "../src/policy/secret-uses.js";
import { commonVariables, HOME, logConfiguration, named, sealed, volumesOf } from "./container.js";
import { outputOf } from "./foundation.js";
import { qualified } from "./names.js";
import { makeExecutionRole, makeTaskRole, type RoleInputs, throughService } from "./role.js";
import type { SecretArns, TaskSecret } from "./secret.js";
import type { Statement } from "./statement.js";

/** Aurora's master user and port, as the data stack gives them. */
const USER = "migrator";
const PORT = 5432;

export interface DatabaseTaskInputs extends Pick<RoleInputs, "boundaryArn" | "keyArn"> {
  /** Host of the instance that writes. */
  readonly databaseEndpoint: string;
  /** Of the secret in which RDS keeps the master user's password, and changes it by itself. */
  readonly passwordArn: string;
  readonly image: string;
  /** The commit of the image, 40 hexadecimal digits. */
  readonly imageTag: string;
  readonly logGroup: string;
}

/** Without a role of its own: it calls nothing of AWS. Without a JWT secret no program of ours begins in production. */
export function makeMigration(
  stack: TerraformStack,
  policy: PolicySet,
  inputs: DatabaseTaskInputs,
  secretArns: SecretArns,
): void {
  const arn = arnOf(secretArns, "jwt-secret");
  const secrets = [{ variable: "JWT_SECRET", arn }];
  makeTask(stack, policy, inputs, { name: "migrate", secrets });
}

/**
 * It makes the first values of secrets, so it can read none of them at its start. Where it runs stands in its tags: there
 * is no service yet whose network it could take.
 */
export function makePreparation(
  stack: TerraformStack,
  policy: PolicySet,
  inputs: DatabaseTaskInputs,
  secretArns: SecretArns,
): void {
  const name = "prepare";
  const statements = fillSecrets(policy, inputs, secretArns);
  const role = makeTaskRole(stack, policy, { name, inputs, statements });
  const subnets = inner(outputOf(stack, policy, "network", "private_subnet_ids"));
  const tags = {
    // As a value of a tag, which takes no comma.
    subnets: `\${join(" ", ${subnets})}`,
    groups: outputOf(stack, policy, "network", "task_group_id"),
  };
  makeTask(stack, policy, inputs, { name, secrets: [], taskRoleArn: role.arn, tags });
}

/** The expression without its braces, to stand in another. */
function inner(reference: string): string {
  return reference.slice(2, -1);
}

/** Puts what has no value; reads the address alone, should another task have been quicker. */
function fillSecrets(
  policy: PolicySet,
  inputs: DatabaseTaskInputs,
  secretArns: SecretArns,
): Statement[] {
  const made = secretsInUse(policy).filter(({ made }) => made !== undefined);
  return [
    {
      Effect: "Allow",
      Action: ["secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue"],
      Resource: made.map(({ name }) => arnOf(secretArns, name)),
    },
    {
      Effect: "Allow",
      Action: ["secretsmanager:GetSecretValue"],
      Resource: [arnOf(secretArns, "database-url")],
    },
    throughService(policy, inputs, "secretsmanager", ["kms:Decrypt", "kms:GenerateDataKey"]),
  ];
}

function arnOf(secretArns: SecretArns, name: string): string {
  const arn = secretArns.get(name);
  assert(arn !== undefined, `tasks read ${name}`);
  return arn;
}

interface DatabaseTask {
  readonly name: "migrate" | "prepare";
  /** Beside the master user's password. */
  readonly secrets: readonly TaskSecret[];
  readonly taskRoleArn?: string;
  readonly tags?: Record<string, string>;
}

function makeTask(
  stack: TerraformStack,
  policy: PolicySet,
  inputs: DatabaseTaskInputs,
  { name, secrets, ...more }: DatabaseTask,
): void {
  const secretArns = [inputs.passwordArn, ...secrets.map(({ arn }) => arn)];
  const execution = makeExecutionRole(stack, policy, { name, secretArns, inputs });
  const { databaseTask: size } = policy.infrastructure;
  new EcsTaskDefinition(stack, `${name}-task`, {
    family: qualified(policy, name),
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    cpu: String(size.cpu),
    memory: String(size.memoryMiB),
    runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
    executionRoleArn: execution.arn,
    ...more,
    volume: volumesOf(HOME),
    containerDefinitions: container(policy, inputs, { name, secrets }),
  });
}

/** The driver takes the password from PGPASSWORD; the secret is JSON, of which ECS hands over one key. */
function container(
  policy: PolicySet,
  inputs: DatabaseTaskInputs,
  { name, secrets }: DatabaseTask,
): string {
  const { image, imageTag, logGroup, passwordArn, databaseEndpoint } = inputs;
  const { databaseName } = policy.infrastructure.aurora;
  const definition = {
    name,
    image,
    essential: true,
    command: ["db", name],
    environment: named({
      ...commonVariables(policy, imageTag),
      DATABASE_URL: `postgresql://${USER}@${databaseEndpoint}:${PORT}/${databaseName}`,
    }),
    secrets: [
      ...secrets.map(({ variable, arn }) => ({ name: variable, valueFrom: arn })),
      { name: "PGPASSWORD", valueFrom: `${passwordArn}:password::` },
    ],
    ...sealed(HOME),
    logConfiguration: logConfiguration(policy, logGroup, qualified(policy, name)),
  };
  return JSON.stringify([definition]);
}
