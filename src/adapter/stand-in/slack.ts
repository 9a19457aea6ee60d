/**
 * A stand-in for Slack's Web API on loopback: game days and tests talk to it with the real client library.
 * It refuses what Slack refuses, so that a message that would not arrive fails here already.
 */
import {
  type LoopbackAnswer,
  type LoopbackRequest,
  type Misbehaviour,
  startLoopback,
} from "./loopback.js";
import { slackRefusal } from "./slack-limits.js";

export interface SlackPost {
  readonly channel: string;
  readonly ts: string;
  /** Of the message it stands below. */
  readonly threadTs?: string;
  /** Whoever alone sees it: it is in no history and cannot be edited. */
  readonly onlyFor?: string;
  readonly metadata?: unknown;
  /** As it stands now; `versions` has what it was before each `chat.update`, oldest first. */
  readonly text: string;
  readonly blocks: readonly unknown[];
  readonly versions: readonly { readonly text: string; readonly blocks: readonly unknown[] }[];
}

export interface StandInSlack {
  /** For `SLACK_API_URL`. */
  readonly url: string;
  /** In the order they were posted, edited in place. */
  readonly messages: readonly SlackPost[];
  /** 429 with Retry-After for the next calls. */
  rateLimit(retryAfterS: number, calls?: number): void;
  misbehave(...next: readonly Misbehaviour[]): void;
  close(): Promise<void>;
}

export interface StandInSlackOptions {
  /** The bot token it accepts. */
  readonly token: string;
  /** Channels that exist; by default every name does. */
  readonly channels?: readonly string[];
  /** False: the app was installed without the scopes for reading. */
  readonly mayRead?: boolean;
}

export async function startStandInSlack(options: StandInSlackOptions): Promise<StandInSlack> {
  const messages: SlackPost[] = [];
  const loopback = await startLoopback((request) => callMethod(request, options, messages));
  return {
    url: `${loopback.url}/api/`,
    messages,
    rateLimit: (retryAfterS, calls = 1) =>
      loopback.misbehave(...Array.from({ length: calls }, () => tooMany(retryAfterS))),
    misbehave: loopback.misbehave,
    close: loopback.close,
  };
}

function tooMany(retryAfterS: number): Misbehaviour {
  const headers = { "retry-after": String(retryAfterS) };
  return {
    kind: "answer",
    answer: { status: 429, headers, body: { ok: false, error: "ratelimited" } },
  };
}

function callMethod(
  request: LoopbackRequest,
  options: StandInSlackOptions,
  messages: SlackPost[],
): LoopbackAnswer {
  const args = argumentsOf(request);
  if (tokenOf(request, args) !== options.token) return refuse("invalid_auth");
  switch (request.path) {
    case "/api/chat.postMessage":
      return post(args, options, messages);
    case "/api/chat.update":
      return update(args, messages);
    case "/api/chat.postEphemeral":
      return post(args, options, messages);
    case "/api/conversations.history":
      return history(args, options, messages, undefined);
    case "/api/conversations.replies":
      return history(args, options, messages, String(args.ts));
    case "/api/conversations.list":
      return channels(options, messages);
    default:
      return refuse("unknown_method");
  }
}

type Arguments = Readonly<Record<string, unknown>>;

/** Form fields, where `blocks` is JSON in a string, or a JSON body. */
function argumentsOf(request: LoopbackRequest): Arguments {
  if (request.headers["content-type"]?.startsWith("application/json")) {
    return JSON.parse(request.body) as Arguments;
  }
  const fields = Object.fromEntries(new URLSearchParams(request.body));
  const complex = ["blocks", "metadata"].filter((name) => fields[name] !== undefined);
  return {
    ...fields,
    ...Object.fromEntries(complex.map((name) => [name, JSON.parse(fields[name]!) as unknown])),
  };
}

function tokenOf(request: LoopbackRequest, args: Arguments): string | undefined {
  const bearer = request.headers.authorization?.replace(/^Bearer /, "");
  return bearer ?? (typeof args.token === "string" ? args.token : undefined);
}

function post(
  args: Arguments,
  options: StandInSlackOptions,
  messages: SlackPost[],
): LoopbackAnswer {
  const channel = String(args.channel ?? "");
  const exists = options.channels?.includes(channel) ?? channel !== "";
  if (!exists) return refuse("channel_not_found");
  const refusal = slackRefusal(args.text, args.blocks);
  if (refusal) return refuse(refusal);
  // Slack's timestamps are unique in a channel and grow.
  const ts = `${1_700_000_000 + messages.length}.000100`;
  const { thread_ts: threadTs, user, metadata } = args;
  messages.push({
    ...{ channel, ts, ...contentOf(args), versions: [] },
    ...(typeof threadTs === "string" ? { threadTs } : {}),
    ...(typeof user === "string" ? { onlyFor: user } : {}),
    ...(metadata === undefined ? {} : { metadata }),
  });
  return accept(typeof user === "string" ? { message_ts: ts } : { channel, ts });
}

/** Those that exist, or that somebody posted to; here a channel's id is its name. */
function channels(
  { mayRead = true, channels: known = [] }: StandInSlackOptions,
  messages: readonly SlackPost[],
): LoopbackAnswer {
  if (!mayRead) return refuse("missing_scope");
  const ids = [...new Set([...known, ...messages.map(({ channel }) => channel)])];
  return accept({ channels: ids.map((id) => ({ id, name: id.replace(/^#/, "") })) });
}

/** Newest first; a thread's messages are in no channel's history. */
function history(
  args: Arguments,
  { mayRead = true }: StandInSlackOptions,
  messages: readonly SlackPost[],
  threadTs: string | undefined,
): LoopbackAnswer {
  if (!mayRead) return refuse("missing_scope");
  const shown = messages.filter(
    (it) => it.channel === args.channel && it.threadTs === threadTs && it.onlyFor === undefined,
  );
  const limit = Number(args.limit ?? 100);
  const from = Number(args.cursor ?? 0);
  const page = [...shown].reverse().slice(from, from + limit);
  const hasMore = from + limit < shown.length;
  return accept({
    messages: page.map(({ ts, text, metadata }) => ({ ts, text, metadata })),
    response_metadata: { next_cursor: hasMore ? String(from + limit) : "" },
  });
}

function update(args: Arguments, messages: SlackPost[]): LoopbackAnswer {
  const index = messages.findIndex(
    ({ channel, ts, onlyFor }) =>
      channel === args.channel && ts === args.ts && onlyFor === undefined,
  );
  const before = messages[index];
  if (!before) return refuse("message_not_found");
  const refusal = slackRefusal(args.text, args.blocks);
  if (refusal) return refuse(refusal);
  const { channel, ts, text, blocks } = before;
  const versions = [...before.versions, { text, blocks }];
  messages[index] = { ...before, ...contentOf(args), versions };
  return accept({ channel, ts });
}

function contentOf(args: Arguments): { text: string; blocks: readonly unknown[] } {
  return {
    text: typeof args.text === "string" ? args.text : "",
    blocks: Array.isArray(args.blocks) ? args.blocks : [],
  };
}

function accept(result: Readonly<Record<string, unknown>>): LoopbackAnswer {
  return { status: 200, body: { ok: true, ...result } };
}

/** Slack's refusals are 200 with `ok: false`. */
function refuse(error: string): LoopbackAnswer {
  return { status: 200, body: { ok: false, error } };
}
