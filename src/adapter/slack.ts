/** Slack's Web API: messages in, faults out. The only file that knows `@slack/web-api`. */
import type { WebAPIPlatformError, WebClient } from "@slack/web-api";
import type { Notifier } from "../alert/port.js";
import { errorMessage, Fault, fault } from "../base/fault.js";
import { toSlack } from "../message/slack-blocks.js";
import type { Chat, ChatTarget } from "../runbook/port.js";
import {
  CREDENTIAL_RETRY_MS,
  faultOfStatus,
  type HttpRequest,
  RATE_LIMIT_DEFAULT_MS,
  sendHttp,
} from "./http.js";
import { createPostFinder, POST_EVENT, type SlackCaller } from "./slack-find.js";
import { createSlackNotifier } from "./slack-notify.js";

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
  const caller: SlackCaller = (signal, method, body) => call(options, signal, method, body);
  const find = createPostFinder(caller);
  const chat: Chat = {
    post: async (to, message, signal) => {
      const target = typeof to === "string" ? { channel: to } : to;
      const body = { ...placeOf(target), ...toSlack(message), ...QUIET_LINKS };
      const posted = await caller(signal, "chat.postMessage", body);
      const at = { channel: textOf(posted.channel, target.channel), ts: textOf(posted.ts, "") };
      find.learn(target.channel, at.channel);
      return at;
    },
    update: async (at, message, signal) => {
      await caller(signal, "chat.update", { ...at, ...toSlack(message) });
    },
    ephemeral: async ({ channel, user }, message, signal) => {
      try {
        await caller(signal, "chat.postEphemeral", { channel, user, ...toSlack(message) });
      } catch (thrown) {
        if (!isElsewhere(thrown)) throw thrown;
        // Commands may be typed where the app is not: then the person is told in their own conversation with it.
        await caller(signal, "chat.postMessage", { channel: user, ...toSlack(message) });
      }
    },
    find: find.find,
  };
  return { chat, notifier: createSlackNotifier(chat) };
}

const ELSEWHERE = new Set(["channel_not_found", "not_in_channel", "user_not_in_channel"]);

function isElsewhere(thrown: unknown): boolean {
  return thrown instanceof Fault && ELSEWHERE.has(String(thrown.details.error));
}

/** With the key as metadata that people do not see, so that the post is found when the answer to it was lost. */
function placeOf({ channel, threadTs, key }: ChatTarget): Record<string, unknown> {
  return {
    channel,
    ...(threadTs === undefined ? {} : { thread_ts: threadTs }),
    ...(key === undefined ? {} : { metadata: { event_type: POST_EVENT, event_payload: { key } } }),
  };
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** A link in a job's error text must not be fetched by Slack. */
const QUIET_LINKS = { unfurl_links: false, unfurl_media: false } as const;

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
  missing_scope: "give the app the scopes of docs/slack-manifest.yaml and install it again",
  user_not_in_channel: "they left the channel, or it is a conversation of others",
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
  if (original instanceof Fault) return withSending(original);
  return fault.transient("SLACK_UNREACHABLE", errorMessage(error), { cause: error });
}

/** Reasons why there was no connection, as Node and its `fetch` name them: then nothing was sent. */
const NO_CONNECTION = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Says where it is certain that Slack saw nothing: such a post may be made again without a look. */
function withSending(failure: Fault): Fault {
  const reason = (failure.cause as { cause?: { code?: unknown } } | undefined)?.cause?.code;
  if (typeof reason !== "string" || !NO_CONNECTION.has(reason)) return failure;
  const { code, message, hint } = failure;
  return fault.transient(code, message, { hint, cause: failure, details: { sent: false } });
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
