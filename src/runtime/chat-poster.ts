/**
 * Brings rows of `control.chat_post` to chat: posts once, edits as often as needed, and looks for a post whose
 * answer was lost before it is made again. A call that began too late is not made: after a long pause of this
 * process another poster may have taken over (RB-chat; lessons of slack-api-specs #10).
 */
import type { Clock } from "../base/clock.js";
import { HOUR_MS, MINUTE_MS } from "../base/duration.js";
import { type Fault, fault, toFault } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { Chat, ChatTarget } from "../runbook/port.js";
import {
  type ClaimedPost,
  claimPost,
  leaveInDoubt,
  markAbsent,
  markDead,
  markPosted,
  markShown,
  markUnknown,
  putBack,
  sayEndApart,
  tidyPosts,
} from "../store/chat-posts.js";
import type { Database } from "../store/database.js";
import type { Tick } from "./ticker.js";

export interface ChatPosterDeps {
  readonly db: Database;
  readonly chat: Chat;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_EVERY_MS = 500;
const TIDY_EVERY_MS = HOUR_MS;
/** Side by side, so that one slow answer does not hold up the others. */
const LANES = 3;
/** Milliseconds a call may take; the lease of a claim (15 s) outlasts a late start and a late answer. */
const CALL_MS = 10_000;
/** From the claim to the call: what is later was paused, and lets go. */
const START_WITHIN_MS = 3_000;
/** Waits after failures that certainly changed nothing: 1, 2, 4 … s. */
const RETRY_MS = { first: 1_000, most: MINUTE_MS } as const;

/** For every process that may post; they share the work. */
export function chatPosterTicks(deps: ChatPosterDeps): Tick[] {
  const lanes = Array.from({ length: LANES }, (_, i) => ({
    name: `post-to-chat-${i + 1}`,
    everyMs: LOOK_EVERY_MS,
    run: (_now: Date, signal: AbortSignal) => postAll(deps, signal),
  }));
  const tidy = {
    name: "tidy-chat-posts",
    everyMs: TIDY_EVERY_MS,
    run: async () => {
      const given = await tidyPosts(deps.db);
      if (given > 0) deps.log.error("chat.given-up", { posts: given });
    },
  };
  return [...lanes, tidy];
}

/** Until nothing is due. */
export async function postAll(deps: ChatPosterDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const claimedAt = deps.clock.now();
    const post = await claimPost(deps.db);
    if (!post) return;
    await carryOut(deps, post, claimedAt, signal);
  }
}

async function carryOut(
  deps: ChatPosterDeps,
  post: ClaimedPost,
  claimedAt: Date,
  stop: AbortSignal,
): Promise<void> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(CALL_MS)]);
  try {
    if (deps.clock.now().getTime() - claimedAt.getTime() > START_WITHIN_MS)
      throw fault.waiting("CHAT_CLAIM_LATE", "this process was paused between claim and call");
    await WORK[post.work](deps, post, signal);
  } catch (thrown) {
    await settleFailure(deps, post, toFault(thrown));
  }
}

type Work = (deps: ChatPosterDeps, post: ClaimedPost, signal: AbortSignal) => Promise<void>;

const WORK: Readonly<Record<ClaimedPost["work"], Work>> = {
  post: async ({ db, chat }, post, signal) => {
    if (post.elsewhere) return markPosted(db, post, post.elsewhere);
    if (post.ephemeralUser === null)
      return markPosted(db, post, await chat.post(targetOf(post), post.body, signal));
    const to = { channel: post.channel, user: post.ephemeralUser };
    await chat.ephemeral(to, post.body, signal);
    return markPosted(db, post, { channel: post.channel, ts: EPHEMERAL });
  },
  edit: async ({ db, chat }, post, signal) => {
    // What one person alone saw cannot be edited.
    if (post.ts !== null && post.ts !== EPHEMERAL)
      await chat.update({ channel: post.channel, ts: post.ts }, post.body, signal);
    await markShown(db, post);
  },
  look: async (deps, post, signal) => {
    const { db, chat } = deps;
    if (post.ephemeralUser !== null) return giveUpLooking(deps, post);
    const { channel, threadTs, key } = targetOf(post);
    const since = post.postingSince ?? post.createdAt;
    const found = await chat.find({ channel, threadTs }, key, since, signal);
    if (found === "cannot-tell") return giveUpLooking(deps, post);
    if (found === "absent") return markAbsent(db, post);
    await markPosted(db, post, found);
    // Which text it shows is not known: the newest is shown again, in place.
    deps.log.info("chat.found", { key, channel: found.channel });
  },
};

/** In place of Slack's timestamp of what one person saw. */
const EPHEMERAL = "ephemeral";

const UNREADABLE =
  "Slack did not say whether it took it, and the channel may not be read: give the app the scopes of docs/slack-manifest.yaml";
const UNSEEN =
  "Slack did not say whether it took it, and what one person sees cannot be looked for";

/** It is never posted again; of a run that has ended, the end is said in a message of its own. */
async function giveUpLooking(
  { db, log }: ChatPosterDeps,
  post: ClaimedPost,
  error = post.ephemeralUser === null ? UNREADABLE : UNSEEN,
): Promise<void> {
  await markUnknown(db, post, error);
  if (post.purpose === "main" && post.runSeq !== null) await sayEndApart(db, post.runSeq);
  log.warn("chat.unknown", { key: post.key, channel: post.channel, error });
}

/** The key is unique over installations that share a workspace: their runs have the same numbers. */
function targetOf(post: ClaimedPost): ChatTarget & { readonly key: string } {
  return {
    channel: post.channel,
    threadTs: post.threadTs ?? undefined,
    key: `${post.key}@${post.createdAt.getTime()}`,
  };
}

async function settleFailure(
  deps: ChatPosterDeps,
  post: ClaimedPost,
  failure: Fault,
): Promise<void> {
  const { db, log } = deps;
  const error = `${failure.code}: ${failure.message}`;
  log.warn("chat.failed", { key: post.key, work: post.work, attempt: post.tries, error });
  if (failure.kind === "data" || failure.kind === "refused")
    return post.work === "look" ? giveUpLooking(deps, post, error) : markDead(db, post, error);
  if (post.work === "post" && !wasNotTaken(failure)) return leaveInDoubt(db, post, error);
  const ms = failure.retryAfterMs ?? backOffMs(post.tries);
  await putBack(db, post, { ms: Math.max(ms, RETRY_MS.first), error });
}

/** A refusal is an answer, and what never left us was not taken; all else may have been. */
function wasNotTaken({ kind, details }: Fault): boolean {
  return kind === "waiting" || details.sent === false;
}

function backOffMs(tries: number): number {
  return Math.min(RETRY_MS.first * 2 ** Math.min(tries, 10), RETRY_MS.most);
}
