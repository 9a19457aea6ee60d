/**
 * The secrets of the services: containers without values. A person or a rotation runbook fills them;
 * no value ever passes through synthesis or the Terraform state (HB-aws-19, HB-env-34, X-31).
 */

import { SecretsmanagerSecret } from "#aws/secretsmanager-secret";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { SERVICES, type ServiceName } from "../src/policy/services.js";
import { secretPath } from "./names.js";

interface SecretUse {
  /** Last part of its name. */
  readonly name: string;
  /** Environment variable it becomes, and in which services: least power by process (design 3, 15). */
  readonly variable: string;
  readonly services: readonly ServiceName[];
  /** Only when a receiver of this kind is configured: a secret that nobody fills keeps tasks from starting. */
  readonly receiver?: "slack" | "pagerduty";
}

const USES: readonly SecretUse[] = [
  { name: "database-url", variable: "DATABASE_URL", services: SERVICES },
  { name: "redis-password", variable: "REDIS_PASSWORD", services: SERVICES },
  { name: "github-token", variable: "GITHUB_TOKEN", services: ["workers"] },
  { name: "webhook-secret", variable: "GITHUB_WEBHOOK_SECRET", services: ["api"] },
  // Every role refuses to start in production without it (design 6).
  { name: "jwt-secret", variable: "JWT_SECRET", services: SERVICES },
  { name: "slack-bot-token", variable: "SLACK_BOT_TOKEN", services: SERVICES, receiver: "slack" },
  {
    name: "slack-signing-secret",
    variable: "SLACK_SIGNING_SECRET",
    services: ["api"],
    receiver: "slack",
  },
  {
    name: "pagerduty-token",
    variable: "PAGERDUTY_TOKEN",
    services: SERVICES,
    receiver: "pagerduty",
  },
  {
    name: "pagerduty-routing-key",
    variable: "PAGERDUTY_ROUTING_KEY",
    services: SERVICES,
    receiver: "pagerduty",
  },
  {
    name: "pagerduty-webhook-secret",
    variable: "PAGERDUTY_WEBHOOK_SECRET",
    services: ["api"],
    receiver: "pagerduty",
  },
];

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
  const uses = USES.filter(({ receiver }) => receiver === undefined || receivers.has(receiver));
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
