/** The sender dies before any of its statements, or its answer is lost: nobody is told twice, and nobody is forgotten. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPagerDutyNotifier } from "../../src/adapter/pagerduty.js";
import { createSlack } from "../../src/adapter/slack.js";
import {
  type StandInPagerDuty,
  startStandInPagerDuty,
} from "../../src/adapter/stand-in/pagerduty.js";
import { type StandInSlack, startStandInSlack } from "../../src/adapter/stand-in/slack.js";
import { type StandInWebhook, startStandInWebhook } from "../../src/adapter/stand-in/webhook.js";
import { createWebhookNotifier } from "../../src/adapter/webhook.js";
import type { Notifier } from "../../src/alert/port.js";
import { systemClock } from "../../src/base/clock.js";
import { Fault } from "../../src/base/fault.js";
import { silentLogger } from "../../src/base/log.js";
import type { JobContext } from "../../src/job/port.js";
import type { PolicySet, Receiver } from "../../src/policy/policy.js";
import { createNoticeHandler } from "../../src/runtime/handler/notice.js";
import type { Database } from "../../src/store/database.js";
import { enqueueNotice, readNotice } from "../../src/store/notices.js";
import { Killed, mortalDatabase } from "../support/crash-points.js";
import { withDatabase } from "../support/database.js";
import { lendToFile } from "../support/lend.js";
import { makeNotice } from "../support/make-notice.js";
import { makePolicy, makeReceiver } from "../support/make-policy.js";

const TOKEN = "xoxb-crash-token";
const ROUTING_KEY = "c".repeat(32);
/** More than the handler sends. */
const STATEMENTS = 8;

const database = lendToFile<Database>(withDatabase);
let slack: StandInSlack;
let pagerduty: StandInPagerDuty;
let webhook: StandInWebhook;
let policy: PolicySet;

beforeAll(async () => {
  [slack, pagerduty, webhook] = await Promise.all([
    startStandInSlack({ token: TOKEN }),
    startStandInPagerDuty({ routingKey: ROUTING_KEY, token: TOKEN }),
    startStandInWebhook(),
  ]);
  const receivers = {
    // Each crash is a notice of the same minute.
    slack: makeReceiver("slack", { kind: "slack", channel: "#ops" }, { perMinuteMax: 1_000 }),
    pagerduty: makeReceiver("pagerduty", { kind: "pagerduty" }, { perMinuteMax: 1_000 }),
    webhook: makeReceiver(
      "webhook",
      { kind: "webhook", url: `${webhook.url}/alerts` },
      { perMinuteMax: 1_000 },
    ),
  };
  const base = makePolicy();
  policy = { ...base, routes: { ...base.routes, receivers } };
});
afterAll(() => Promise.all([slack.close(), pagerduty.close(), webhook.close()]));

/** As a process has them that has just been started: it knows nothing of what another did. */
function makeNotifiers(slackUrl: string): ReadonlyMap<Receiver["kind"], Notifier> {
  const all = [
    createSlack({ token: TOKEN, apiUrl: slackUrl }).notifier,
    createPagerDutyNotifier({ routingKey: ROUTING_KEY, eventsUrl: pagerduty.url }),
    createWebhookNotifier(),
  ];
  return new Map(all.map((one) => [one.kind, one]));
}

type Name = "slack" | "pagerduty" | "webhook";

/** What somebody who folds as the receiver does has heard of this trouble. */
function heard(receiver: Name, dedupKey: string): number {
  if (receiver === "slack")
    return slack.messages.filter(({ text }) => text.includes(dedupKey)).length;
  if (receiver === "pagerduty")
    return pagerduty.incidents().filter((one) => one.incidentKey === dedupKey).length;
  const own = webhook.received.filter(({ body }) => body.dedup_key === dedupKey);
  return new Set(own.map(({ body }) => body.notice_id)).size;
}

function enqueue(receiver: Name, dedupKey: string): Promise<number> {
  const message = { tone: "bad" as const, title: `Trouble ${dedupKey}` };
  return enqueueNotice(database(), makeNotice({ receiver, dedupKey, message }));
}

/** False: it was killed, or is to be tried again. */
async function attempt(db: Database, id: number, slackUrl = slack.url): Promise<boolean> {
  const notifiers = makeNotifiers(slackUrl);
  const job = {
    ...{ seq: 1, id: "job-1", kind: "notice", payload: { notice_id: id }, attempt: 1, fence: 1 },
    ...{ crashCount: 0, createdAt: systemClock.now() },
  };
  const context: JobContext = {
    ...{ job, signal: new AbortController().signal, log: silentLogger, progress: () => {} },
    ...{ now: () => systemClock.now(), compensateWith: async () => {} },
  };
  const handler = createNoticeHandler({ db, policy: () => policy, notifiers, random: () => 0.5 });
  try {
    await handler.run(context);
    return true;
  } catch (error) {
    if (error instanceof Killed || error instanceof Fault) return false;
    throw error;
  }
}

const RECEIVERS = ["slack", "pagerduty", "webhook"] as const;

describe.each(RECEIVERS)("%s", (receiver) => {
  test("hears a notice once, before whichever statement its sender is killed", async () => {
    const killedBefore: number[] = [];
    for (let statement = 0; statement < STATEMENTS; statement++) {
      const dedupKey = `kill-${receiver}-${statement}`;
      const id = await enqueue(receiver, dedupKey);
      const mortal = mortalDatabase(database());
      mortal.dieBefore(statement);
      await attempt(mortal, id);
      if (mortal.isDead) killedBefore.push(statement);
      // Whoever takes the job over.
      await attempt(database(), id);
      expect([statement, heard(receiver, dedupKey)]).toEqual([statement, 1]);
      expect(await readNotice(database(), id)).toMatchObject({ status: "sent", sendingAt: null });
    }
    // It was killed at every point, the last of them after it had sent and before it could say so.
    expect(killedBefore.length).toBeGreaterThanOrEqual(4);
    expect(killedBefore).toEqual(killedBefore.map((_, n) => n));
    expect(killedBefore.length).toBeLessThan(STATEMENTS);
  });

  test("hears a notice once whose answer was lost on the way", async () => {
    const dedupKey = `lost-${receiver}`;
    const id = await enqueue(receiver, dedupKey);
    const standIn = { slack, pagerduty, webhook }[receiver];
    standIn.misbehave({ kind: "drop-answer" });
    expect(await attempt(database(), id)).toBe(false);
    expect(await attempt(database(), id)).toBe(true);
    expect(heard(receiver, dedupKey)).toBe(1);
  });
});

test("where Slack may not be read, a page said twice is better than one said never", async () => {
  const blind = await startStandInSlack({ token: TOKEN, mayRead: false });
  try {
    const id = await enqueue("slack", "blind");
    blind.misbehave({ kind: "drop-answer" });
    expect(await attempt(database(), id, blind.url)).toBe(false);
    expect(await attempt(database(), id, blind.url)).toBe(true);
    expect(blind.messages).toHaveLength(2);
  } finally {
    await blind.close();
  }
});

test("a look that can never succeed does not bury the notice", async () => {
  const id = await enqueue("slack", "unseen");
  slack.misbehave({ kind: "drop-answer" });
  expect(await attempt(database(), id)).toBe(false);
  const body = { ok: false, error: "unknown_method" };
  slack.misbehave({ kind: "answer", answer: { status: 200, body } });
  expect(await attempt(database(), id)).toBe(true);
  expect(await readNotice(database(), id)).toMatchObject({ status: "sent" });
});
