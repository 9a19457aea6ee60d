import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSlack, type Slack } from "../../src/adapter/slack.js";
import { type StandInSlack, startStandInSlack } from "../../src/adapter/stand-in/slack.js";
import type { Message } from "../../src/message/message.js";
import { faultOf, makeDelivery, never, PAGER, SLACK_RECEIVER } from "./delivery.js";

const TOKEN = "xoxb-stand-in";
const MESSAGE: Message = { tone: "info", title: "run-1 started", text: "step 1 of 3" };

let standIn: StandInSlack;
let slack: Slack;

beforeEach(async () => {
  standIn = await startStandInSlack({ token: TOKEN, channels: ["#ops"] });
  slack = createSlack({ token: TOKEN, apiUrl: standIn.url, timeoutMs: 2_000 });
});
afterEach(() => standIn.close());

describe("the real client against the stand-in", () => {
  test("posts a message and edits it in place", async () => {
    const at = await slack.chat.post("#ops", MESSAGE, never());
    await slack.chat.update(at, { ...MESSAGE, title: "run-1 succeeded", tone: "good" }, never());
    expect(standIn.messages).toMatchObject([
      {
        ...at,
        text: ":white_check_mark: run-1 succeeded",
        versions: [{ text: "run-1 started" }],
      },
    ]);
    expect(standIn.messages[0]?.blocks).toHaveLength(2);
  });

  test("delivers a notice to the receiver's channel and says where it is", async () => {
    const delivery = makeDelivery({ receiver: SLACK_RECEIVER });
    const { reference } = await slack.notifier.deliver(delivery, never());
    expect(reference).toBe(`#ops/${standIn.messages[0]?.ts}`);
  });

  test("a message larger than Slack takes is cut, not refused", async () => {
    await slack.chat.post("#ops", { ...MESSAGE, code: "x".repeat(100_000) }, never());
    expect(standIn.messages).toHaveLength(1);
  });
});

describe("what one person is told", () => {
  test("is seen by them alone, in the channel", async () => {
    await slack.chat.ephemeral({ channel: "#ops", user: "UANN" }, MESSAGE, never());
    expect(standIn.messages).toMatchObject([{ channel: "#ops", onlyFor: "UANN" }]);
  });

  test("where the app is not, comes in their own conversation with it", async () => {
    const error = { status: 200, body: { ok: false, error: "not_in_channel" } };
    standIn.misbehave({ kind: "answer", answer: error });
    const open = createSlack({ token: TOKEN, apiUrl: standIn.url });
    const asked = open.chat.ephemeral({ channel: "#ops", user: "#ops" }, MESSAGE, never());
    await asked;
    expect(standIn.messages).toHaveLength(1);
    expect(standIn.messages[0]?.onlyFor).toBeUndefined();
  });
});

describe("a post whose answer was lost", () => {
  const since = new Date("2023-11-14T00:00:00Z");
  const find = (key: string, from: Slack = slack) =>
    from.chat.find({ channel: "C0OPS" }, key, since, never());

  test("is found by its key over pages, and one that was not made is absent", async () => {
    await standIn.close();
    standIn = await startStandInSlack({ token: TOKEN });
    slack = createSlack({ token: TOKEN, apiUrl: standIn.url });
    const first = await slack.chat.post(
      { channel: "C0OPS", key: "run-1:main@1" },
      MESSAGE,
      never(),
    );
    for (let i = 0; i < 220; i++) await slack.chat.post({ channel: "C0OPS" }, MESSAGE, never());
    expect(await find("run-1:main@1")).toEqual(first);
    expect(await find("run-1:main@2")).toBe("absent");
  });

  test("in a thread is looked for there", async () => {
    const key = "run-1:thread:1@1";
    const main = await slack.chat.post("#ops", MESSAGE, never());
    await slack.chat.post({ channel: "#ops", threadTs: main.ts, key }, MESSAGE, never());
    const there = { channel: "#ops", threadTs: main.ts };
    expect(await slack.chat.find(there, key, since, never())).toMatchObject({ channel: "#ops" });
    expect(await slack.chat.find({ channel: "#ops" }, key, since, never())).toBe("absent");
  });

  test("where the app may not read, nobody can tell", async () => {
    await standIn.close();
    standIn = await startStandInSlack({ token: TOKEN, mayRead: false });
    expect(await find("any", createSlack({ token: TOKEN, apiUrl: standIn.url }))).toBe(
      "cannot-tell",
    );
  });
});

describe("what goes wrong has a kind", () => {
  const post = () => slack.chat.post("#ops", MESSAGE, never());

  test("429 waits as long as Slack says, and is not repeated behind our back", async () => {
    standIn.rateLimit(7);
    expect(await faultOf(post())).toMatchObject({
      kind: "waiting",
      code: "SLACK_RATE_LIMITED",
      retryAfterMs: 7_000,
    });
    expect(standIn.messages).toHaveLength(0);
  });

  test("500 is transient", async () => {
    standIn.misbehave({ kind: "answer", answer: { status: 500, body: "oops" } });
    expect(await faultOf(post())).toMatchObject({ kind: "transient", code: "SLACK_FAILED" });
  });

  test("no answer in time is transient, and one attempt is one post", async () => {
    const hasty = createSlack({ token: TOKEN, apiUrl: standIn.url, timeoutMs: 50 });
    standIn.misbehave({ kind: "silence" });
    expect(await faultOf(hasty.chat.post("#ops", MESSAGE, never()))).toMatchObject({
      kind: "transient",
      code: "SLACK_TIMED_OUT",
    });
    expect(standIn.messages).toHaveLength(0);
  });

  test("an answer lost after the post was taken is transient, and it was posted once", async () => {
    standIn.misbehave({ kind: "drop-answer" });
    expect(await faultOf(post())).toMatchObject({ kind: "transient" });
    expect(standIn.messages).toHaveLength(1);
  });

  test("a stopped caller stops the call", async () => {
    const caller = new AbortController();
    standIn.misbehave({ kind: "silence" });
    const ended = faultOf(slack.chat.post("#ops", MESSAGE, caller.signal));
    caller.abort();
    expect(await ended).toMatchObject({ kind: "transient", code: "SLACK_ABORTED" });
  });

  test("a refused token waits for a person, with the remedy", async () => {
    const revoked = createSlack({ token: "xoxb-old", apiUrl: standIn.url });
    expect(await faultOf(revoked.chat.post("#ops", MESSAGE, never()))).toMatchObject({
      kind: "waiting",
      code: "SLACK_REFUSED",
      hint: "set SLACK_BOT_TOKEN to a valid bot token",
    });
  });

  test("an unknown channel waits for a person", async () => {
    expect(await faultOf(slack.chat.post("#nowhere", MESSAGE, never()))).toMatchObject({
      kind: "waiting",
      details: { error: "channel_not_found" },
    });
  });

  test("a message that can never be taken is data", async () => {
    const at = { channel: "#ops", ts: "1.000" };
    expect(await faultOf(slack.chat.update(at, MESSAGE, never()))).toMatchObject({
      kind: "data",
      code: "SLACK_MESSAGE_REFUSED",
    });
  });

  test("another system's receiver is refused before any call", async () => {
    const delivery = makeDelivery({ receiver: PAGER });
    expect(await faultOf(slack.notifier.deliver(delivery, never()))).toMatchObject({
      kind: "data",
      code: "SLACK_WRONG_RECEIVER",
    });
  });

  test("nobody there is transient", async () => {
    await standIn.close();
    expect(await faultOf(post())).toMatchObject({ kind: "transient", code: "SLACK_UNREACHABLE" });
    standIn = await startStandInSlack({ token: TOKEN });
  });
});

describe("the stand-in refuses what Slack refuses", () => {
  const callApi = async (method: string, body: Record<string, unknown>) => {
    const response = await fetch(`${standIn.url}${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return (await response.json()) as { ok: boolean; error?: string };
  };
  const section = (text: string) => ({ type: "section", text: { type: "mrkdwn", text } });

  test.each([
    ["51 blocks", Array.from({ length: 51 }, () => section("x")), "invalid_blocks"],
    ["a section of 3,001 characters", [section("x".repeat(3_001))], "invalid_blocks"],
    [
      "13,001 characters in all",
      Array.from({ length: 5 }, () => section("x".repeat(2_601))),
      "msg_blocks_too_long",
    ],
    ["an empty text", [section("")], "invalid_blocks"],
  ])("%s", async (_what, blocks, error) => {
    expect(await callApi("chat.postMessage", { channel: "#ops", text: "t", blocks })).toEqual({
      ok: false,
      error,
    });
  });
});
