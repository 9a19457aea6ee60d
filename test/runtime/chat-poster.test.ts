/** Posts of runs to chat against the stand-in Slack: whatever is lost on the way, no text stands twice. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createSlack, type Slack } from "../../src/adapter/slack.js";
import { type StandInSlack, startStandInSlack } from "../../src/adapter/stand-in/slack.js";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import type { Chat } from "../../src/runbook/port.js";
import { type ChatPosterDeps, postAll } from "../../src/runtime/chat-poster.js";
import {
  type ChatBody,
  claimPost,
  type NewChatPost,
  sayEndApart,
  sayInChat,
  tidyPosts,
} from "../../src/store/chat-posts.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";

const TOKEN = "xoxb-stand-in";

let lent: TestDatabase;
let standIn: StandInSlack;
let slack: Slack;
let said = 0;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent?.drop());
beforeEach(async () => {
  standIn = await startStandInSlack({ token: TOKEN });
  slack = createSlack({ token: TOKEN, apiUrl: standIn.url, timeoutMs: 2_000 });
});
afterEach(async () => {
  await standIn.close();
  await lent.db.query("DELETE FROM control.chat_post");
});

const text = (title: string): ChatBody => ({ tone: "info", title });
const say = (title: string, more: Partial<NewChatPost> = {}) => {
  said += 1;
  const key = `key-${said}`;
  const post = { purpose: "inbound", runSeq: null, channel: `C${said}00`, ...more } as const;
  return sayInChat(lent.db, { key, body: text(title), ...post });
};

const depsWith = (more: Partial<ChatPosterDeps> = {}): ChatPosterDeps => ({
  ...{ db: lent.db, chat: slack.chat, clock: systemClock, log: silentLogger, ...more },
});
const post = (more: Partial<ChatPosterDeps> = {}) =>
  postAll(depsWith(more), new AbortController().signal);

/** As if the leases, waits and paces of all posts were over. */
const letTimePass = () =>
  lent.db.query(
    `UPDATE control.chat_post SET due_at = due_at - interval '1 hour', posted_at = posted_at - interval '1 hour',
       shown_at = shown_at - interval '1 hour'`,
  );
const postLater = async (more: Partial<ChatPosterDeps> = {}) => {
  await letTimePass();
  await post(more);
};

async function states(): Promise<string[]> {
  const { rows } = await lent.db.query<{ state: string }>(
    "SELECT state FROM control.chat_post ORDER BY id",
  );
  return rows.map(({ state }) => state);
}
const titles = () => standIn.messages.map((message) => message.text);

async function runInChat(): Promise<{ id: string; seq: number }> {
  const registry = makeRegistry(makeRunbook("fix"));
  const note = `case ${++said}`;
  const id = await queueRun(lent.db, registry, "fix", {
    params: { note },
    chat: { channel: "C1", ts: null },
  });
  return { id, seq: (await readRun(lent.db, id))!.seq };
}

describe("a post", () => {
  test("is made once with the newest text, and edited in place when the text changes", async () => {
    const { id, seq } = await runInChat();
    const main = { key: `${id}:main`, purpose: "main", runSeq: seq, channel: "C1" } as const;
    await say("queued", main);
    await post();
    expect(titles()).toEqual([]);
    await say("running", main);
    await postLater();
    expect(titles()).toEqual(["running"]);
    const [message] = standIn.messages;
    expect(await readRun(lent.db, id)).toMatchObject({ chat: { channel: "C1", ts: message?.ts } });
    await say("step 1", main);
    await say("step 2", main);
    await post();
    expect(titles()).toEqual(["running"]);
    await postLater();
    expect(standIn.messages).toMatchObject([{ text: "step 2", versions: [{ text: "running" }] }]);
  });

  test("of a text that jsonb cannot hold is made without it", async () => {
    await say("half a \uD800 and a \0 nul");
    await post();
    expect(titles()).toEqual(["half a \uFFFD and a  nul"]);
  });

  test("is made once though four posters look at the same moment", async () => {
    for (let i = 0; i < 12; i++) await say(`message ${i}`);
    await Promise.all([post(), post(), post(), post()]);
    expect(titles().sort()).toEqual(Array.from({ length: 12 }, (_, i) => `message ${i}`).sort());
  });

  test("in one channel waits a second for the one before; what one person sees does not", async () => {
    await say("first", { channel: "C7" });
    await say("second", { channel: "C7" });
    await say("whisper", { channel: "C7", ephemeralUser: "UANN" });
    await post();
    expect(titles()).toEqual(["first", "whisper"]);
    expect(standIn.messages[1]).toMatchObject({ onlyFor: "UANN" });
    await postLater();
    expect(titles()).toEqual(["first", "whisper", "second"]);
  });

  test("below a message waits for that message", async () => {
    const { id, seq } = await runInChat();
    await say("output", { key: `${id}:thread:1`, purpose: "thread:1", runSeq: seq, channel: "C1" });
    await post();
    expect(titles()).toEqual([]);
    await say("run", { key: `${id}:main`, purpose: "main", runSeq: seq, channel: "C1" });
    await postLater();
    await postLater();
    const [main, output] = standIn.messages;
    expect([main?.text, output?.text, output?.threadTs]).toEqual(["run", "output", main?.ts]);
  });
});

describe("when the outcome of a post is not known", () => {
  test("the post is found by its key, and not made again", async () => {
    standIn.misbehave({ kind: "drop-answer" });
    await say("taken, and the answer was lost", { channel: "C1" });
    await post();
    expect([await states(), titles().length]).toEqual([["posting"], 1]);
    await post();
    await postLater();
    await postLater();
    expect([await states(), titles().length]).toEqual([["posted"], 1]);
  });

  test("a poster killed before its call leaves a post that is made once, after two looks", async () => {
    await say("claimed, then killed");
    await claimPost(lent.db);
    await postLater();
    expect(titles()).toEqual([]);
    await postLater();
    expect([await states(), titles()]).toEqual([["posted"], ["claimed, then killed"]]);
  });

  test("a poster killed after its call leaves a post that is found", async () => {
    await say("posted, then killed");
    const killed: Chat = {
      ...slack.chat,
      post: async (...posting) => {
        await slack.chat.post(...posting);
        throw new Error("killed");
      },
    };
    await post({ chat: killed });
    await Promise.all([postLater(), postLater()]);
    await postLater();
    expect([await states(), titles()]).toEqual([["posted"], ["posted, then killed"]]);
  });

  test("a post whose text has changed meanwhile is found and shows the newest", async () => {
    standIn.misbehave({ kind: "drop-answer" });
    await say("old", { key: "living" });
    await post();
    await say("new", { key: "living" });
    await postLater();
    await postLater();
    expect(standIn.messages).toMatchObject([{ text: "new", versions: [{ text: "old" }] }]);
  });

  test("in a channel that may not be read nothing is repeated, and only the end of a run is said apart", async () => {
    await standIn.close();
    standIn = await startStandInSlack({ token: TOKEN, mayRead: false });
    slack = createSlack({ token: TOKEN, apiUrl: standIn.url });
    const { id, seq } = await runInChat();
    const main = { key: `${id}:main`, purpose: "main", runSeq: seq, channel: "C1" } as const;
    standIn.misbehave({ kind: "drop-answer" });
    await say("running", main);
    await postLater();
    await postLater();
    await postLater();
    expect([await states(), titles()]).toEqual([["unknown"], ["running"]]);
    await lent.db.query("UPDATE control.run SET status = 'succeeded' WHERE seq = $1", [seq]);
    await say("succeeded", main);
    await sayEndApart(lent.db, seq);
    await sayEndApart(lent.db, seq);
    await postLater();
    await postLater();
    expect(titles()).toEqual(["running", "succeeded"]);
    expect(JSON.stringify(standIn.messages[1]?.blocks)).toContain("did not say whether it took");
  });

  test("what one person alone sees is not repeated", async () => {
    standIn.misbehave({ kind: "drop-answer" });
    await say("whisper", { ephemeralUser: "UANN" });
    await post();
    await postLater();
    await postLater();
    expect([await states(), titles()]).toEqual([["unknown"], ["whisper"]]);
  });

  test("a poster that was paused between claim and call does not call", async () => {
    await say("late");
    const startMs = systemClock.now().getTime();
    let looks = 0;
    const clock = { ...systemClock, now: () => new Date(startMs + 3_500 * looks++) };
    await post({ clock });
    expect(titles()).toEqual([]);
    expect(await states()).toEqual(["pending"]);
    await postLater();
    expect(titles()).toEqual(["late"]);
  });
});

describe("when Slack certainly did not take it", () => {
  test.each([
    ["429", { kind: "answer", answer: tooMany() }],
    ["a refusal for a person", { kind: "answer", answer: refusal("not_in_channel") }],
  ] as const)("because of %s, it is posted later, without a look", async (_what, misbehaviour) => {
    standIn.misbehave(misbehaviour);
    await say("patient");
    await post();
    expect([await states(), titles()]).toEqual([["pending"], []]);
    await postLater();
    expect(titles()).toEqual(["patient"]);
  });

  test("since nobody listened, it is posted later, without a look", async () => {
    const other = await startStandInSlack({ token: TOKEN });
    await other.close();
    await say("patient");
    await post({ chat: createSlack({ token: TOKEN, apiUrl: other.url }).chat });
    expect(await states()).toEqual(["pending"]);
    await postLater();
    expect(titles()).toEqual(["patient"]);
  });

  test("and never will, it is given up with the reason", async () => {
    standIn.misbehave({ kind: "answer", answer: refusal("invalid_blocks") });
    await say("never");
    await post();
    await postLater();
    expect([await states(), titles()]).toEqual([["dead"], []]);
  });

  test("for a day, nobody waits for it any more", async () => {
    await say("yesterday");
    await lent.db.query("UPDATE control.chat_post SET created_at = now() - interval '25 hours'");
    expect(await tidyPosts(lent.db)).toBe(1);
    await postLater();
    expect(titles()).toEqual([]);
  });
});

function tooMany() {
  const headers = { "retry-after": "7" };
  return { status: 429, headers, body: { ok: false, error: "ratelimited" } };
}
function refusal(error: string) {
  return { status: 200, body: { ok: false, error } };
}
