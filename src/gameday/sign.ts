/** Requests as Slack, PagerDuty and GitHub would send them, and as a forger would. */
import { hmacSha256 } from "../base/secret.js";

export interface SignedRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SlackCommand {
  readonly teamId: string;
  readonly userId: string;
  readonly channelId: string;
  readonly text: string;
  /** Unique per invocation: the key that dedups. */
  readonly triggerId: string;
}

/** A slash command, signed over the raw body at `now`. */
export function slackCommandRequest(
  command: SlackCommand,
  secret: string,
  now: Date,
): SignedRequest {
  const body = new URLSearchParams({
    team_id: command.teamId,
    user_id: command.userId,
    user_name: "sre",
    channel_id: command.channelId,
    channel_name: "algobrain-ops",
    command: "/algobrain",
    text: command.text,
    trigger_id: command.triggerId,
  }).toString();
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signature = `v0=${hmacSha256(secret, `v0:${timestamp}:${body}`).toString("hex")}`;
  return {
    path: "/slack/commands",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-slack-request-timestamp": timestamp,
      "x-slack-signature": signature,
    },
    body,
  };
}

/** An authentic-looking `incident.triggered`, signed with a secret that is not ours. */
export function forgedPagerDutyRequest(secret: string, id: string): SignedRequest {
  const event = {
    id,
    event_type: "incident.triggered",
    resource_type: "incident",
    data: { id: "QFORGED", type: "incident" },
  };
  const body = JSON.stringify({ event });
  return {
    path: "/webhooks/pagerduty",
    headers: {
      "content-type": "application/json",
      "x-webhook-id": id,
      "x-pagerduty-signature": `v1=${hmacSha256(secret, body).toString("hex")}`,
    },
    body,
  };
}

export function forgedGitHubRequest(secret: string, id: string): SignedRequest {
  const body = JSON.stringify({ ref: "refs/heads/main", repository: { full_name: "acme/forged" } });
  return {
    path: "/webhooks/github",
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": id,
      "x-hub-signature-256": `sha256=${hmacSha256(secret, body).toString("hex")}`,
    },
    body,
  };
}
