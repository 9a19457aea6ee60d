/** What the doors are given by main: secrets, ports, and the policy in force. */
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import type { PolicySet } from "../policy/policy.js";
import type { Journal } from "../runbook/journal.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import type { StopSwitchPort } from "../runbook/stop.js";
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
  /** Keeps what came while the database is away; null or absent: then the sender is told that nothing was kept. */
  readonly journal?: Journal | null | undefined;
  /** Null or absent: `stop` is kept as any other command, and a worker acts on it. */
  readonly stop?: StopSwitchPort | null | undefined;
  /** Who may stop everything. */
  readonly policy?: (() => PolicySet) | undefined;
}
