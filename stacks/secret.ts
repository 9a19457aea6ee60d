/**
 * The secrets of the services: containers without values. `db prepare` fills those that are ours to make, a person the
 * others, rotation runbooks all; no value ever passes through synthesis or the Terraform state (HB-aws-19, HB-env-34, X-31).
 */

import { SecretsmanagerSecret } from "#aws/secretsmanager-secret";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { secretsInUse } from "../src/policy/secret-uses.js";
import type { ServiceName } from "../src/policy/services.js";
import { outputEntryOf } from "./foundation.js";
import { secretPath } from "./names.js";

/** Kept for rotation; tasks read `database-url`. The password of whoever migrates is kept by RDS itself (HB-aws-24). */
const UNUSED_BY_TASKS = ["db-password"];

export interface TaskSecret {
  readonly variable: string;
  readonly arn: string;
}

/** ARNs by the last part of the name: of those that tasks read. */
export type SecretArns = ReadonlyMap<string, string>;

export function makeSecrets(stack: TerraformStack, policy: PolicySet, keyArn: string): SecretArns {
  const make = (name: string) => makeSecret(stack, policy, name, keyArn);
  const made = secretsInUse(policy).map(({ name }) => [name, make(name).arn] as const);
  for (const name of UNUSED_BY_TASKS) make(name);
  return new Map(made);
}

/** What the tasks of a service read, ordered by variable. */
export function secretsOf(
  stack: TerraformStack,
  policy: PolicySet,
  service: ServiceName,
): readonly TaskSecret[] {
  const arnOf = (key: string) =>
    outputEntryOf(stack, policy, "cluster", { name: "secret_arns", key });
  return secretsInUse(policy)
    .filter(({ services }) => services.includes(service))
    .map(({ name, variable }) => ({ variable, arn: arnOf(name) }))
    .sort((a, b) => (a.variable < b.variable ? -1 : 1));
}

function makeSecret(
  stack: TerraformStack,
  policy: PolicySet,
  name: string,
  kmsKeyId: string,
): SecretsmanagerSecret {
  const path = secretPath(policy, name);
  return new SecretsmanagerSecret(stack, `secret-${name}`, { name: path, kmsKeyId });
}
