/** Slack and PagerDuty as an outage leaves them: the real adapter at an address where nobody answers, or one that remembers. */
import { createPagerDutyIncidents, createPagerDutyNotifier } from "../../src/adapter/pagerduty.js";
import { createSlack } from "../../src/adapter/slack.js";
import type { Notifier } from "../../src/alert/port.js";
import type { Receiver } from "../../src/policy/policy.js";
import type { Chat, Incidents } from "../../src/runbook/port.js";
import type { Lost } from "./outage.js";
import { makeChat, makeIncidents } from "./runbook-world.js";

/** Nobody listens there. */
export const DEAD_URL = "http://127.0.0.1:1";

/** Base URL of an adapter whose system is away; null: it is not. */
function wayTo(system: "Slack" | "PagerDuty", lost: Lost): string | null {
  if (lost === "DNS") return `http://${system.toLowerCase()}.invalid`;
  return lost === system ? DEAD_URL : null;
}

export function openChat(lost: Lost): Chat {
  const url = wayTo("Slack", lost);
  return url === null ? makeChat() : createSlack({ token: "xoxb-1", apiUrl: `${url}/api/` }).chat;
}

export function openIncidents(lost: Lost): Incidents {
  const apiUrl = wayTo("PagerDuty", lost);
  return apiUrl === null ? makeIncidents() : createPagerDutyIncidents({ token: "t", apiUrl });
}

export function openNotifiers(lost: Lost, sent: string[]): Map<Receiver["kind"], Notifier> {
  const heard = (kind: Receiver["kind"]): Notifier => ({
    kind,
    deliver: async ({ action }) => {
      sent.push(`${kind} ${action}`);
      return { reference: `${kind}-1` };
    },
  });
  const slack = wayTo("Slack", lost);
  const eventsUrl = wayTo("PagerDuty", lost);
  return new Map<Receiver["kind"], Notifier>([
    [
      "slack",
      slack === null
        ? heard("slack")
        : createSlack({ token: "xoxb-1", apiUrl: `${slack}/api/` }).notifier,
    ],
    [
      "pagerduty",
      eventsUrl === null
        ? heard("pagerduty")
        : createPagerDutyNotifier({ routingKey: "k".repeat(32), eventsUrl }),
    ],
  ]);
}
