/**
 * The task that changes the schema: run once by a deployment, before the services move (deploy-services), and never as a
 * service. It alone works as the database's master user; the services are another user, who may not (HB-aws-24).
 */

import { EcsTaskDefinition } from "#aws/ecs-task-definition";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { commonVariables, HOME, logConfiguration, named, sealed, volumesOf } from "./container.js";
import { qualified } from "./names.js";
import { makeExecutionRole, type RoleInputs } from "./role.js";
import type { TaskSecret } from "./secret.js";

const NAME = "migrate";
/** Aurora's master user and port, as the data stack gives them. */
const USER = "migrator";
const PORT = 5432;
/** The smallest that Fargate offers: statements run on the server. */
const SIZE = { cpu: "256", memory: "512" } as const;

export interface MigrationOptions {
  /** Host of the instance that writes. */
  readonly databaseEndpoint: string;
  /** Of the secret in which RDS keeps the master user's password, and changes it by itself. */
  readonly passwordArn: string;
  /** Without it no program of ours begins in production. */
  readonly jwtSecret: TaskSecret;
  readonly image: string;
  /** The commit of the image, 40 hexadecimal digits. */
  readonly imageTag: string;
  readonly logGroup: string;
  readonly inputs: RoleInputs;
}

/** Without a role of its own: it calls nothing of AWS. */
export function makeMigration(
  stack: TerraformStack,
  policy: PolicySet,
  options: MigrationOptions,
): void {
  const { passwordArn, jwtSecret, inputs } = options;
  const execution = makeExecutionRole(stack, policy, {
    name: NAME,
    secretArns: [passwordArn, jwtSecret.arn],
    inputs,
  });
  new EcsTaskDefinition(stack, `${NAME}-task`, {
    family: qualified(policy, NAME),
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    ...SIZE,
    runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
    executionRoleArn: execution.arn,
    volume: volumesOf(HOME),
    containerDefinitions: container(policy, options),
  });
}

/** The driver takes the password from PGPASSWORD; the secret is JSON, of which ECS hands over one key. */
function container(policy: PolicySet, options: MigrationOptions): string {
  const { image, imageTag, logGroup, passwordArn, jwtSecret } = options;
  const { databaseName } = policy.infrastructure.aurora;
  const definition = {
    name: NAME,
    image,
    essential: true,
    command: ["db", NAME],
    environment: named({
      ...commonVariables(policy, imageTag),
      DATABASE_URL: `postgresql://${USER}@${options.databaseEndpoint}:${PORT}/${databaseName}`,
    }),
    secrets: [
      { name: jwtSecret.variable, valueFrom: jwtSecret.arn },
      { name: "PGPASSWORD", valueFrom: `${passwordArn}:password::` },
    ],
    ...sealed(HOME),
    logConfiguration: logConfiguration(policy, logGroup, qualified(policy, NAME)),
  };
  return JSON.stringify([definition]);
}
