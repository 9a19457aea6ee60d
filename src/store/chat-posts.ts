/**
 * Posts to chat as rows. `posting` is written before the call, so that after a crash we look for the post
 * and never make it twice. All times are the database's, so that two posters agree on them.
 */
import type { Chat } from "../runbook/port.js";
import type { Sql } from "./database.js";

/** What a chat takes. */
export type ChatBody = Parameters<Chat["post"]>[1];

/** `end`: the last word of a run whose living message may or may not have arrived. */
export type ChatPurpose = "main" | "end" | "inbound" | `thread:${number}`;

export interface NewChatPost {
  /** Unique for good: saying the same again changes the text of the same post. */
  readonly key: string;
  readonly purpose: ChatPurpose;
  /** Null: the answer to something that became no run. */
  readonly runSeq: number | null;
  readonly channel: string;
  /** Only this person sees it. It can be neither found nor edited. */
  readonly ephemeralUser?: string | undefined;
  /** Where it already is: posted by a version that kept no rows. */
  readonly ts?: string | null | undefined;
  readonly body: ChatBody;
}

/** `post`: not made yet; `edit`: made, and shows an older text; `look`: whether it was made is not known. */
export type ChatWork = "post" | "edit" | "look";

/** A post in the hands of one poster, until its lease ends. */
export interface ClaimedPost {
  readonly id: number;
  readonly work: ChatWork;
  readonly key: string;
  readonly purpose: ChatPurpose;
  readonly runSeq: number | null;
  readonly channel: string;
  readonly threadTs: string | null;
  readonly ephemeralUser: string | null;
  readonly body: ChatBody;
  readonly bodyVersion: number;
  readonly ts: string | null;
  /** Grows with every claim: a poster that was overtaken moves nothing back. */
  readonly tries: number;
  readonly absences: number;
  readonly createdAt: Date;
  readonly postingSince: Date | null;
  /** Where a version without rows has put the run's message meanwhile. */
  readonly elsewhere: { readonly channel: string; readonly ts: string } | null;
}

/** A poster's call has ended long before it: after it the post is somebody else's to look after. */
export const CLAIM_LEASE_MS = 15_000;
/** A run's message waits so long for its first words: most runs have ended by then, and need no edit. */
const FIRST_WORD_MS = 1_000;
/** Between two edits of one message. */
const EDIT_EVERY_MS = 2_500;
/** Slack takes about one message a second in a channel, and about 50 edits a minute from an app. */
const CHANNEL_EVERY_MS = 1_000;
const EDITS_PER_10_S = 8;
/** Not seen so often in a row, `CLAIM_LEASE_MS` apart: it was not posted. */
const ABSENCES = 2;

/** One upsert: the whole text is written anew, and whoever posts next shows the newest. */
export async function sayInChat(sql: Sql, post: NewChatPost): Promise<void> {
  await sql.query(
    `INSERT INTO control.chat_post AS post (run_seq, purpose, key, channel, ephemeral_user, body, ts, state, posted_at, due_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $7::text IS NULL THEN 'pending' ELSE 'posted' END,
             CASE WHEN $7::text IS NOT NULL THEN clock_timestamp() END,
             clock_timestamp() + CASE $2 WHEN 'main' THEN $8 ELSE 0 END * interval '1 ms')
     ON CONFLICT (key) DO UPDATE SET body = excluded.body, body_version = post.body_version + 1
       WHERE post.body IS DISTINCT FROM excluded.body`,
    [
      post.runSeq,
      post.purpose,
      post.key,
      post.channel,
      post.ephemeralUser ?? null,
      JSON.stringify(post.body, (_key, value: unknown) => storable(value)),
      post.ts ?? null,
      FIRST_WORD_MS,
    ],
  );
}

/** What was cut in the middle of a character, or has a NUL in it, is nothing that jsonb holds. */
function storable(value: unknown): unknown {
  if (typeof value !== "string") return value;
  return value.replaceAll("\0", "").replace(/\p{Surrogate}/gu, "\uFFFD");
}

/**
 * Takes the next post whose turn has come; null when there is none. What is below a run's message waits for
 * that message. Never waits for another poster.
 */
export async function claimPost(sql: Sql): Promise<ClaimedPost | null> {
  const { rows } = await sql.query<ClaimedPost>(
    `WITH next AS (
       SELECT post.id, main.channel, main.ts,
              CASE post.state WHEN 'pending' THEN 'post' WHEN 'posting' THEN 'look' ELSE 'edit' END AS work
       FROM control.chat_post AS post
       LEFT JOIN control.chat_post AS main
         ON post.purpose LIKE 'thread:%' AND main.run_seq = post.run_seq AND main.purpose = 'main'
       WHERE post.due_at <= clock_timestamp() AND (post.state <> 'pending' OR post.created_at > now() - interval '1 day')
         AND (post.state IN ('pending', 'posting') OR (post.state = 'posted' AND post.shown_version < post.body_version))
         AND (post.purpose NOT LIKE 'thread:%' OR main.ts IS NOT NULL)
         AND (post.state <> 'pending' OR post.ephemeral_user IS NOT NULL OR NOT EXISTS (
           SELECT FROM control.chat_post AS other WHERE other.channel = coalesce(main.channel, post.channel)
             AND other.ephemeral_user IS NULL AND other.posted_at > clock_timestamp() - $2 * interval '1 ms'))
         AND (post.state <> 'posted' OR (SELECT count(*) FROM control.chat_post AS shown
           WHERE shown.shown_at > clock_timestamp() - interval '10 seconds') < $3)
       ORDER BY post.due_at LIMIT 1 FOR UPDATE OF post SKIP LOCKED)
     UPDATE control.chat_post AS post
     SET state = CASE next.work WHEN 'post' THEN 'posting' ELSE post.state END,
         posting_since = CASE next.work WHEN 'post' THEN clock_timestamp() ELSE post.posting_since END,
         shown_version = CASE next.work WHEN 'post' THEN post.body_version ELSE post.shown_version END,
         channel = coalesce(next.channel, post.channel), thread_ts = coalesce(next.ts, post.thread_ts),
         tries = post.tries + 1, due_at = clock_timestamp() + $1 * interval '1 ms'
     FROM next WHERE post.id = next.id
     RETURNING post.id, next.work, post.key, post.purpose, post.run_seq AS "runSeq", post.channel,
       post.thread_ts AS "threadTs", post.ephemeral_user AS "ephemeralUser", post.body,
       post.body_version AS "bodyVersion", post.ts, post.tries, post.absences, post.created_at AS "createdAt",
       post.posting_since AS "postingSince",
       (SELECT run.chat FROM control.run WHERE post.purpose = 'main' AND run.seq = post.run_seq
          AND run.chat ->> 'ts' IS NOT NULL) AS elsewhere`,
    [CLAIM_LEASE_MS, CHANNEL_EVERY_MS, EDITS_PER_10_S],
    "claim-chat-post",
  );
  return rows[0] ?? null;
}

/** It is there. True whoever says so and however late; the run learns where its message is. */
export async function markPosted(
  sql: Sql,
  post: Pick<ClaimedPost, "id">,
  at: { readonly channel: string; readonly ts: string },
): Promise<void> {
  await sql.query(
    `WITH posted AS (
       UPDATE control.chat_post SET state = 'posted', channel = $2, ts = $3, posted_at = clock_timestamp(),
         last_error = NULL, absences = 0, due_at = clock_timestamp() + $4 * interval '1 ms'
       WHERE id = $1 AND state <> 'posted' RETURNING run_seq, purpose)
     UPDATE control.run SET chat = jsonb_build_object('channel', $2::text, 'ts', $3::text)
     FROM posted WHERE posted.purpose = 'main' AND run.seq = posted.run_seq`,
    [post.id, at.channel, at.ts, EDIT_EVERY_MS],
  );
}

/** The newest text that it was given is shown. */
export async function markShown(sql: Sql, post: ClaimedPost): Promise<void> {
  await sql.query(
    `UPDATE control.chat_post SET shown_version = greatest(shown_version, $3), shown_at = clock_timestamp(),
       last_error = NULL, due_at = clock_timestamp() + $4 * interval '1 ms'
     WHERE id = $1 AND tries = $2`,
    [post.id, post.tries, post.bodyVersion, EDIT_EVERY_MS],
  );
}

/** It was certainly not taken, and may be later: it is as if it had not been tried. */
export async function putBack(
  sql: Sql,
  post: ClaimedPost,
  wait: { readonly ms: number; readonly error: string },
): Promise<void> {
  await sql.query(
    `UPDATE control.chat_post SET last_error = $4, due_at = clock_timestamp() + $3 * interval '1 ms',
       state = CASE WHEN $5 THEN 'pending' ELSE state END, shown_version = CASE WHEN $5 THEN 0 ELSE shown_version END,
       posting_since = CASE WHEN $5 THEN NULL ELSE posting_since END
     WHERE id = $1 AND tries = $2`,
    [post.id, post.tries, wait.ms, wait.error, post.work === "post"],
  );
}

/** Whether it was taken is not known: it stays `posting`, and is looked for when the lease ends. */
export async function leaveInDoubt(sql: Sql, post: ClaimedPost, error: string): Promise<void> {
  await sql.query("UPDATE control.chat_post SET last_error = $3 WHERE id = $1 AND tries = $2", [
    post.id,
    post.tries,
    error,
  ]);
}

/** A look that did not find it. After the second it is to be posted again, since by then it would be there. */
export async function markAbsent(sql: Sql, post: ClaimedPost): Promise<void> {
  const isOver = post.absences + 1 >= ABSENCES;
  await sql.query(
    `UPDATE control.chat_post SET absences = CASE WHEN $3 THEN 0 ELSE absences + 1 END,
       state = CASE WHEN $3 THEN 'pending' ELSE state END, shown_version = CASE WHEN $3 THEN 0 ELSE shown_version END,
       posting_since = CASE WHEN $3 THEN NULL ELSE posting_since END,
       due_at = clock_timestamp() + CASE WHEN $3 THEN 0 ELSE $4 END * interval '1 ms'
     WHERE id = $1 AND tries = $2`,
    [post.id, post.tries, isOver, CLAIM_LEASE_MS],
  );
}

/** Nobody can say whether it is there: it is never posted again. */
export async function markUnknown(sql: Sql, post: ClaimedPost, error: string): Promise<void> {
  await sql.query(
    "UPDATE control.chat_post SET state = 'unknown', last_error = $3 WHERE id = $1 AND tries = $2",
    [post.id, post.tries, error],
  );
}

/** It will never be taken. */
export async function markDead(sql: Sql, post: ClaimedPost, error: string): Promise<void> {
  await sql.query(
    "UPDATE control.chat_post SET state = 'dead', last_error = $3 WHERE id = $1 AND tries = $2",
    [post.id, post.tries, error],
  );
}

/**
 * Of a run that ended and whose living message may not have arrived, the end is said in a message of its own.
 * Nothing happens for any other run.
 */
export async function sayEndApart(sql: Sql, runSeq: number): Promise<void> {
  await sql.query(
    `INSERT INTO control.chat_post AS post (run_seq, purpose, key, channel, body)
     SELECT run.seq, 'end', run.id || ':end', main.channel,
            main.body || jsonb_build_object('footer', concat_ws('. ', main.body ->> 'footer', $2::text))
     FROM control.chat_post AS main JOIN control.run ON run.seq = main.run_seq
     WHERE main.run_seq = $1 AND main.purpose = 'main' AND main.state = 'unknown'
       AND run.status NOT IN ('queued', 'running')
     ON CONFLICT (key) DO UPDATE SET body = excluded.body, body_version = post.body_version + 1
       WHERE post.body IS DISTINCT FROM excluded.body`,
    [runSeq, "Slack did not say whether it took the first message of this run"],
  );
}

/** Gives up what is no news after a day, and forgets what belongs to no run after a week. Returns how many were given up. */
export async function tidyPosts(sql: Sql): Promise<number> {
  const { rowCount } = await sql.query(
    `UPDATE control.chat_post SET state = CASE state WHEN 'posting' THEN 'unknown' ELSE 'dead' END,
       last_error = concat_ws(': ', 'not taken for a day', last_error)
     WHERE state IN ('pending', 'posting') AND created_at < now() - interval '1 day'`,
  );
  await sql.query(
    "DELETE FROM control.chat_post WHERE run_seq IS NULL AND created_at < now() - interval '7 days'",
  );
  return rowCount;
}
