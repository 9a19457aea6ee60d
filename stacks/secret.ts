/**
 * The secrets of the services: containers without values. A person or a rotation runbook fills them;
 * no value ever passes through synthesis or the Terraform state (HB-aws-19, HB-env-34, X-31).
 */

import { SecretsmanagerSecret } from "#aws/secretsmanager-secret";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { SECRET_USES } from "../src/policy/secret-uses.js";
import type { ServiceName } from "../src/policy/services.js";
import { secretPath } from "./names.js";

/** Kept for rotation; tasks read `database-url`. The password of whoever migrates is kept by RDS itself (HB-aws-24). */
const UNUSED_BY_TASKS = ["db-password"];

export interface TaskSecret {
  readonly variable: string;
  readonly arn: string;
}

/** Makes all secrets; answers which of them a service's tasks read, ordered by variable. */
export function makeSecrets(
  stack: TerraformStack,
  policy: PolicySet,
  keyArn: string,
): (service: ServiceName) => TaskSecret[] {
  const receivers = new Set(Object.values(policy.routes.receivers).map(({ kind }) => kind));
  const uses = SECRET_USES.filter(
    ({ receiver }) => receiver === undefined || receivers.has(receiver),
  );
  const make = (name: string) => makeSecret(stack, policy, name, keyArn);
  const made = uses.map((use) => ({ use, arn: make(use.name).arn }));
  for (const name of UNUSED_BY_TASKS) make(name);
  return (service) =>
    made
      .filter(({ use }) => use.services.includes(service))
      .map(({ use, arn }) => ({ variable: use.variable, arn }))
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
