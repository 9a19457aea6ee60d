/** What the doors are given by main: secrets, ports, and the policy in force. */
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import type { Database } from "../store/database.js";

export interface DoorDeps {
  readonly db: Database;
  readonly registry: RunbookRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** Null: the Slack doors answer 503. */
  readonly slackSigningSecret: string | null;
  /** More than one while a secret is rotated; none: the PagerDuty door answers 503. */
  readonly pagerdutySecrets: readonly string[];
}
