/** Looks for a post of ours whose answer was lost: by its key, in the newest messages of its channel or thread. */
import { Fault } from "../base/fault.js";
import type { Chat } from "../runbook/port.js";

/** Type of the metadata of our posts; its payload is `{ key }`. */
export const POST_EVENT = "algobrain_post";

/** One call of the Web API. Throws faults. */
export type SlackCaller = (
  signal: AbortSignal,
  method: string,
  body: Record<string, unknown>,
) => Promise<Record<string, unknown>>;

export interface PostFinder {
  readonly find: Chat["find"];
  /** What Slack calls a channel that we know by its name: reading wants the id. */
  learn(name: string, id: string): void;
}

/** Pages that are read; the first has the newest. */
const PAGES_MAX = 5;
const PAGE_SIZE = 200;
/** Slack's clock and the database's differ. */
const SKEW_MS = 60_000;
/** Names are in lower case. */
const CHANNEL_ID = /^[CDGU][A-Z0-9]+$/;
/** Answers that mean: this app may not look there. */
const MAY_NOT_LOOK = new Set([
  "missing_scope",
  "not_in_channel",
  "channel_not_found",
  "no_permission",
]);

export function createPostFinder(call: SlackCaller): PostFinder {
  const ids = new Map<string, string>();
  return {
    learn: (name, id) => void ids.set(name, id),
    find: async (at, key, since, signal) => {
      try {
        const channel = await idOf(call, ids, at.channel, signal);
        if (channel === null) return "cannot-tell";
        return await look(call, { ...at, channel }, key, since, signal);
      } catch (thrown) {
        if (thrown instanceof Fault && MAY_NOT_LOOK.has(String(thrown.details.error)))
          return "cannot-tell";
        throw thrown;
      }
    },
  };
}

async function idOf(
  call: SlackCaller,
  ids: Map<string, string>,
  channel: string,
  signal: AbortSignal,
): Promise<string | null> {
  if (CHANNEL_ID.test(channel)) return channel;
  const wanted = channel.replace(/^#/, "");
  const types = "public_channel,private_channel";
  for await (const page of ids.has(channel)
    ? []
    : pagesOf(call, signal, "conversations.list", { types }))
    for (const { id, name } of listOf(page.channels))
      if (name === wanted && typeof id === "string") ids.set(channel, id);
  return ids.get(channel) ?? null;
}

async function look(
  call: SlackCaller,
  at: { readonly channel: string; readonly threadTs?: string | undefined },
  key: string,
  since: Date,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<Chat["find"]>>> {
  const body = {
    channel: at.channel,
    oldest: String((since.getTime() - SKEW_MS) / 1_000),
    include_all_metadata: true,
    ...(at.threadTs === undefined ? {} : { ts: at.threadTs }),
  };
  const method = at.threadTs === undefined ? "conversations.history" : "conversations.replies";
  let isMore = false;
  for await (const page of pagesOf(call, signal, method, body)) {
    for (const message of listOf(page.messages))
      if (keyOf(message.metadata) === key && typeof message.ts === "string")
        return { channel: at.channel, ts: message.ts };
    isMore = cursorOf(page) !== null;
  }
  // Not among as many as we read is no proof that it is not there.
  return isMore ? "cannot-tell" : "absent";
}

type Thing = Readonly<Record<string, unknown>>;

async function* pagesOf(
  call: SlackCaller,
  signal: AbortSignal,
  method: string,
  body: Record<string, unknown>,
): AsyncGenerator<Thing> {
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const from = cursor === null ? {} : { cursor };
    const answer = await call(signal, method, { ...body, limit: PAGE_SIZE, ...from });
    yield answer;
    cursor = cursorOf(answer);
    if (cursor === null) return;
  }
}

function cursorOf({ response_metadata: more }: Thing): string | null {
  const next = isThing(more) ? more.next_cursor : null;
  return typeof next === "string" && next !== "" ? next : null;
}

function keyOf(metadata: unknown): unknown {
  if (!isThing(metadata) || metadata.event_type !== POST_EVENT) return undefined;
  return isThing(metadata.event_payload) ? metadata.event_payload.key : undefined;
}

function listOf(value: unknown): Thing[] {
  return Array.isArray(value) ? value.filter(isThing) : [];
}

function isThing(value: unknown): value is Thing {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
