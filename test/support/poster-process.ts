/**
 * A poster in a process of its own, which may stay between two of its writes for good: whoever kills it there leaves the
 * post as it is at that moment. Where it stays is said by the channel of the post.
 */
import { appendFileSync } from "node:fs";
import { createSlack } from "../../src/adapter/slack.js";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import type { Chat } from "../../src/runbook/port.js";
import { postAll } from "../../src/runtime/chat-poster.js";
import { openDatabase } from "../../src/store/database.js";

/** Channels: the row says `posting`, and Slack was not asked; or Slack has answered, and the row does not say so. */
export const BEFORE_CALL = "C0BEFORE";
export const AFTER_ANSWER = "C0AFTER";

export interface PosterPlace {
  readonly databaseUrl: string;
  readonly slack: { readonly apiUrl: string; readonly token: string };
  /** A line with the channel of each post at which it stays; null: it stays nowhere, and ends when nothing is due. */
  readonly reachedFile: string | null;
}

/** As many posts at once, so that all of them are reached. */
const LANES = 3;

function staying(chat: Chat, reachedFile: string): Chat {
  const stayAt = async (here: string, channel: string) => {
    if (channel !== here) return;
    appendFileSync(reachedFile, `${channel}\n`);
    await new Promise<never>(() => {});
  };
  const stayAround = async <T>(channel: string, call: () => Promise<T>): Promise<T> => {
    await stayAt(BEFORE_CALL, channel);
    const answer = await call();
    await stayAt(AFTER_ANSWER, channel);
    return answer;
  };
  return {
    ...chat,
    post: (to, ...rest) => {
      const channel = typeof to === "string" ? to : to.channel;
      return stayAround(channel, () => chat.post(to, ...rest));
    },
    ephemeral: (to, ...rest) => stayAround(to.channel, () => chat.ephemeral(to, ...rest)),
  };
}

const { TEST_POSTER_PLACE: given } = process.env;
if (given !== undefined) {
  const { databaseUrl, slack, reachedFile } = JSON.parse(given) as PosterPlace;
  const { chat } = createSlack(slack);
  const db = openDatabase({
    ...{ url: databaseUrl, poolMax: LANES, applicationName: "test-poster", ssl: false },
  });
  const deps = { db, clock: systemClock, log: silentLogger };
  const poster = { ...deps, chat: reachedFile === null ? chat : staying(chat, reachedFile) };
  const never = new AbortController().signal;
  await Promise.all(Array.from({ length: LANES }, () => postAll(poster, never)));
  await db.close();
}
