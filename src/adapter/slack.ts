/** Slack's Web API: messages in, faults out. The only file that knows `@slack/web-api`. */
import type { WebAPIPlatformError, WebClient } from "@slack/web-api";
import type { Delivered, Delivery, Notifier } from "../alert/port.js";
import { errorMessage, Fault, fault } from "../base/fault.js";
import { toSlack } from "../message/slack-blocks.js";
import type { Chat } from "../runbook/port.js";
import {
  CREDENTIAL_RETRY_MS,
  faultOfStatus,
  type HttpRequest,
  RATE_LIMIT_DEFAULT_MS,
  sendHttp,
} from "./http.js";

export interface SlackOptions {
  /** Bot token, `xoxb-…`. */
  readonly token: string;
  /** Default `https://slack.com/api/`. */
  readonly apiUrl?: string | null;
  /** Milliseconds a call may take. */
  readonly timeoutMs?: number;
}

export interface Slack {
  readonly chat: Chat;
  readonly notifier: Notifier;
}

type Library = typeof import("@slack/web-api");

const TIMEOUT_MS = 10_000;

export function createSlack(options: SlackOptions): Slack {
  const chat: Chat = {
    post: async (channel, message, signal) => {
      const body = { channel, ...toSlack(message), ...QUIET_LINKS };
      const posted = await call(options, signal, "chat.postMessage", body);
      return { channel: textOf(posted.channel, channel), ts: textOf(posted.ts, "") };
    },
    update: async (at, message, signal) => {
      await call(options, signal, "chat.update", { ...at, ...toSlack(message) });
    },
  };
  return {
    chat,
    notifier: { kind: "slack", deliver: (delivery, signal) => deliver(chat, delivery, signal) },
  };
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** A link in a job's error text must not be fetched by Slack. */
const QUIET_LINKS = { unfurl_links: false, unfurl_media: false } as const;

async function deliver(chat: Chat, delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
  const { receiver } = delivery;
  if (receiver.kind !== "slack") {
    throw fault.data("SLACK_WRONG_RECEIVER", `receiver "${receiver.name}" is no Slack channel`);
  }
  const { channel, ts } = await chat.post(receiver.channel, delivery.message, signal);
  return { reference: `${channel}/${ts}` };
}

async function call(
  options: SlackOptions,
  signal: AbortSignal,
  method: string,
  body: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  // Loaded when Slack is first spoken to: most processes never do.
  const library = await import("@slack/web-api");
  try {
    return { ...(await clientFor(library, options, signal).apiCall(method, body)) };
  } catch (error) {
    throw toSlackFault(error, library);
  }
}

/**
 * One client a call: it takes no signal, but its `fetch` can. No retries: it would post again after a
 * time-out and pause every other call on a 429; our outbox does that better. No console logging.
 */
function clientFor(
  { LogLevel, WebClient }: Library,
  options: SlackOptions,
  signal: AbortSignal,
): WebClient {
  return new WebClient(options.token, {
    ...(options.apiUrl ? { slackApiUrl: options.apiUrl } : {}),
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    allowAbsoluteUrls: false,
    logger: { ...SILENT, getLevel: () => LogLevel.ERROR },
    fetch: async (url, init) => {
      const request: HttpRequest = {
        system: "SLACK",
        method: "POST",
        url: String(url),
        headers: init?.headers ?? {},
        body: typeof init?.body === "string" ? init.body : "",
        timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
        signal,
      };
      const { status, headers, text } = await sendHttp(request);
      return new Response(text, { status, headers });
    },
  });
}

const SILENT = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  setLevel: () => {},
  setName: () => {},
};

/** Refused until a person acts: the outbox keeps the message and tries again each minute. */
const FOR_A_PERSON: Readonly<Record<string, string>> = {
  invalid_auth: "set SLACK_BOT_TOKEN to a valid bot token",
  not_authed: "set SLACK_BOT_TOKEN to a valid bot token",
  token_revoked: "the token was revoked: install the app again",
  token_expired: "the token has expired: renew it",
  account_inactive: "the bot user was removed: install the app again",
  missing_scope: "give the app the scope chat:write",
  channel_not_found:
    "check the channel in policies/routes.yaml, and invite the bot if it is private",
  not_in_channel: "invite the bot to the channel",
  is_archived: "the channel is archived: name another in policies/routes.yaml",
};

/** Passes by itself. */
const PASSING = new Set([
  "fatal_error",
  "internal_error",
  "service_unavailable",
  "request_timeout",
]);

function toSlackFault(error: unknown, library: Library): Fault {
  const { WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError } = library;
  if (error instanceof WebAPIPlatformError) return platformFault(error);
  if (error instanceof WebAPIRateLimitedError) {
    return fault.waiting("SLACK_RATE_LIMITED", "Slack asked us to slow down", {
      retryAfterMs: error.retryAfter * 1_000,
      asksAll: true,
    });
  }
  if (error instanceof WebAPIHTTPError) {
    const headers = new Headers(error.headers);
    const found = faultOfStatus("SLACK", { status: error.statusCode, headers }, "the message");
    return found ?? fault.transient("SLACK_FAILED", errorMessage(error), { cause: error });
  }
  // What our own `fetch` threw comes back wrapped.
  const original = (error as { original?: unknown }).original;
  if (original instanceof Fault) return original;
  return fault.transient("SLACK_UNREACHABLE", errorMessage(error), { cause: error });
}

function platformFault(error: WebAPIPlatformError): Fault {
  const reason = error.data.error;
  const details = { error: reason };
  const hint = FOR_A_PERSON[reason];
  if (hint !== undefined) {
    const retryAfterMs = CREDENTIAL_RETRY_MS;
    return fault.waiting("SLACK_REFUSED", `Slack answered ${reason}`, {
      hint,
      retryAfterMs,
      details,
    });
  }
  if (reason === "ratelimited") {
    return fault.waiting("SLACK_RATE_LIMITED", "Slack asked us to slow down", {
      retryAfterMs: RATE_LIMIT_DEFAULT_MS,
      asksAll: true,
      details,
    });
  }
  if (PASSING.has(reason)) {
    return fault.transient("SLACK_FAILED", `Slack answered ${reason}`, { details });
  }
  return fault.data("SLACK_MESSAGE_REFUSED", `Slack answered ${reason}`, { details });
}
