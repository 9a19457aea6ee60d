/** The outside world, as far as this configuration reaches it. What is not configured is null: its work waits and says so. */
import { createGit } from "../adapter/git.js";
import { createPagerDutyIncidents, createPagerDutyNotifier } from "../adapter/pagerduty.js";
import { createShell } from "../adapter/shell.js";
import { createSlack } from "../adapter/slack.js";
import { createWebhookNotifier } from "../adapter/webhook.js";
import type { Notifier } from "../alert/port.js";
import type { Redact } from "../base/redact.js";
import type { Git } from "../job/port.js";
import type { Receiver } from "../policy/policy.js";
import type { Chat, Incidents, Shell } from "../runbook/port.js";
import type { Config } from "../runtime/config.js";

export interface Ports {
  readonly shell: Shell;
  readonly git: Git;
  readonly chat: Chat | null;
  readonly incidents: Incidents | null;
  readonly notifiers: ReadonlyMap<Receiver["kind"], Notifier>;
}

export function createPorts(config: Config, redact: Redact): Ports {
  const shell = createShell({ redact });
  const { slack, pagerduty } = config;
  const talking =
    slack.botToken === null ? null : createSlack({ token: slack.botToken, apiUrl: slack.apiUrl });
  const notifiers = [
    createWebhookNotifier(),
    ...(talking ? [talking.notifier] : []),
    ...(pagerduty.routingKey === null
      ? []
      : [
          createPagerDutyNotifier({
            routingKey: pagerduty.routingKey,
            eventsUrl: pagerduty.eventsUrl,
          }),
        ]),
  ];
  return {
    shell,
    git: createGit(shell),
    chat: talking?.chat ?? null,
    incidents:
      pagerduty.token === null
        ? null
        : createPagerDutyIncidents({ token: pagerduty.token, apiUrl: pagerduty.apiUrl }),
    notifiers: new Map(notifiers.map((notifier) => [notifier.kind, notifier])),
  };
}
