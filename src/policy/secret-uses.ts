/**
 * Which secret becomes which variable of which services: least power by process (design 3, 15). The stacks make them so,
 * and a rotation restarts by the same table.
 */
import type { SecretKind } from "../base/secret-kinds.js";
import type { PolicySet } from "./policy.js";
import type { ServiceName } from "./services.js";

export interface SecretUse {
  /** Last part of its name. */
  readonly name: string;
  readonly variable: string;
  /**
   * In the order of a restart: who leads and who works before who answers people, and at the end the executor, since
   * the run that restarts it goes on in its successor.
   */
  readonly services: readonly ServiceName[];
  /** Only when a receiver of this kind is configured: a secret that nobody fills keeps tasks from starting. */
  readonly receiver?: "slack" | "pagerduty";
  /** Its first value is ours to make, and nobody has to know it: `algobrain db prepare` does. Else it is another's. */
  readonly made?: SecretKind | "address";
}

const EACH: readonly ServiceName[] = ["orchestrator", "workers", "api", "executor"];

export const SECRET_USES: readonly SecretUse[] = [
  { name: "database-url", variable: "DATABASE_URL", services: EACH, made: "address" },
  { name: "redis-password", variable: "REDIS_PASSWORD", services: EACH, made: "redis" },
  { name: "github-token", variable: "GITHUB_TOKEN", services: ["workers"] },
  { name: "webhook-secret", variable: "GITHUB_WEBHOOK_SECRET", services: ["api"], made: "webhook" },
  // Every role refuses to start in production without it (design 6).
  { name: "jwt-secret", variable: "JWT_SECRET", services: EACH, made: "jwt" },
  { name: "slack-bot-token", variable: "SLACK_BOT_TOKEN", services: EACH, receiver: "slack" },
  {
    ...{ name: "slack-signing-secret", variable: "SLACK_SIGNING_SECRET" },
    ...{ services: ["api"], receiver: "slack" },
  },
  { name: "pagerduty-token", variable: "PAGERDUTY_TOKEN", services: EACH, receiver: "pagerduty" },
  {
    ...{ name: "pagerduty-routing-key", variable: "PAGERDUTY_ROUTING_KEY" },
    ...{ services: EACH, receiver: "pagerduty" },
  },
  {
    ...{ name: "pagerduty-webhook-secret", variable: "PAGERDUTY_WEBHOOK_SECRET" },
    ...{ services: ["api"], receiver: "pagerduty" },
  },
];

/** Those that the tasks of an environment read: each must have a value before they can start. */
export function secretsInUse({ routes }: Pick<PolicySet, "routes">): readonly SecretUse[] {
  const receivers = new Set(Object.values(routes.receivers).map(({ kind }) => kind));
  return SECRET_USES.filter(({ receiver }) => receiver === undefined || receivers.has(receiver));
}

/** Services that read it, in the order of a restart; none for a name that no task reads. */
export function readersOfSecret(name: string): readonly ServiceName[] {
  return SECRET_USES.find((use) => use.name === name)?.services ?? [];
}
