/**
 * SIGKILL of the process that posts to chat, at both sides of its call: whoever comes after it brings every message
 * exactly once, and what cannot be looked for at most once. The points of a run are in crash-matrix.test.ts.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StandInSlack, startStandInSlack } from "../../src/adapter/stand-in/slack.js";
import { type NewChatPost, sayInChat } from "../../src/store/chat-posts.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { AFTER_ANSWER, BEFORE_CALL, type PosterPlace } from "../support/poster-process.js";
import { makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";
import { until } from "../support/until.js";

const TOKEN = "xoxb-crash-poster";
const POSTER = fileURLToPath(new URL("../support/poster-process.ts", import.meta.url));
const RESTARTS_MAX = 5;

const folder = mkdtempSync(join(tmpdir(), "algobrain-crash-"));
const reachedFile = join(folder, "reached");
let lent: TestDatabase;
let standIn: StandInSlack;
/** The run whose living message is killed after Slack's answer. */
let runId: string;

beforeAll(async () => {
  lent = await createTestDatabase();
  standIn = await startStandInSlack({ token: TOKEN });
  await sayAll();
  await killAtBothSides();
});

afterAll(async () => {
  await lent.drop();
  await standIn.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A run's living message, an answer in a channel, and one that a person alone sees. */
async function sayAll(): Promise<void> {
  const chat = { channel: AFTER_ANSWER, ts: null };
  runId = await queueRun(lent.db, makeRegistry(makeRunbook("fix")), "fix", { chat });
  const { seq } = (await readRun(lent.db, runId))!;
  await say({ key: "main", purpose: "main", runSeq: seq, channel: AFTER_ANSWER });
  await say({ key: "answer", channel: BEFORE_CALL });
  await say({ key: "whisper", channel: AFTER_ANSWER, ephemeralUser: "UANN" });
  await letTimePass();
}

function say(post: Pick<NewChatPost, "key" | "channel"> & Partial<NewChatPost>): Promise<void> {
  const body = { tone: "info", title: post.key } as const;
  return sayInChat(lent.db, { purpose: "inbound", runSeq: null, body, ...post });
}

/** As if the leases, waits and paces of all posts were over. */
async function letTimePass(): Promise<void> {
  await lent.db.query(
    "UPDATE control.chat_post SET due_at = due_at - interval '1 hour', posted_at = posted_at - interval '1 hour'",
  );
}

function startPoster(stays: boolean) {
  const slack = { apiUrl: standIn.url, token: TOKEN };
  const place: PosterPlace = {
    ...{ databaseUrl: lent.url, slack, reachedFile: stays ? reachedFile : null },
  };
  const poster = spawn(process.execPath, ["--import", "tsx", POSTER], {
    env: { PATH: process.env.PATH ?? "", TEST_POSTER_PLACE: JSON.stringify(place) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { poster, exited: once(poster, "exit") };
}

async function killAtBothSides(): Promise<void> {
  const { poster, exited } = startPoster(true);
  const reached = () => (existsSync(reachedFile) ? readFileSync(reachedFile, "utf8") : "");
  await until(() => reached().split("\n").length - 1 === 3, "all three posts are reached");
  poster.kill("SIGKILL");
  await exited;
}

async function states(): Promise<Record<string, string>> {
  const { rows } = await lent.db.query<{ key: string; state: string }>(
    "SELECT key, state FROM control.chat_post ORDER BY key",
  );
  return Object.fromEntries(rows.map(({ key, state }) => [key, state]));
}
const titles = () => standIn.messages.map(({ text }) => text).sort();

describe("a poster that is killed", () => {
  test("leaves rows that say only that it was posting, whatever Slack has", async () => {
    expect(await states()).toEqual({ answer: "posting", main: "posting", whisper: "posting" });
    expect(titles()).toEqual(["main", "whisper"]);
  });

  test("and started again brings every message exactly once, and what cannot be looked for at most once", async () => {
    const isOver = async () => !Object.values(await states()).includes("posting");
    let restarts = 0;
    for (; restarts < RESTARTS_MAX && !((await isOver()) && titles().length === 3); restarts++) {
      await letTimePass();
      expect(await startPoster(false).exited).toEqual([0, null]);
    }
    expect(await states()).toEqual({ answer: "posted", main: "posted", whisper: "unknown" });
    expect(titles()).toEqual(["answer", "main", "whisper"]);
  });

  test("which the run knows, too: its living message is the one that was posted first", async () => {
    const first = standIn.messages.find(({ text }) => text === "main");
    expect((await readRun(lent.db, runId))?.chat).toEqual({
      channel: AFTER_ANSWER,
      ts: first?.ts,
    });
    await letTimePass();
    expect(await startPoster(false).exited).toEqual([0, null]);
    expect(titles()).toEqual(["answer", "main", "whisper"]);
  });
});
