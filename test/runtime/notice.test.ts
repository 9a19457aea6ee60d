import { beforeEach, describe, expect, test } from "vitest";
import type { Delivered, Delivery, Notifier } from "../../src/alert/port.js";
import { type Fault, fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import { type LogFields, type Logger, silentLogger } from "../../src/base/log.js";
import type { JobContext } from "../../src/job/port.js";
import { RESPONSE_DEFAULTS } from "../../src/policy/defaults.js";
import type { PolicySet, Receiver } from "../../src/policy/policy.js";
import { createNoticeHandler } from "../../src/runtime/handler/notice.js";
import { createRuntimeNotify } from "../../src/runtime/notify.js";
import type { Database } from "../../src/store/database.js";
import { enqueueNotice, listNotices, type NewNotice, readNotice } from "../../src/store/notices.js";
import { faultOf } from "../contract/delivery.js";
import { withDatabase } from "../support/database.js";
import { lendToFile } from "../support/lend.js";
import { makeNotice } from "../support/make-notice.js";
import { makePolicy } from "../support/make-policy.js";

const RECEIVERS: Readonly<Record<string, Receiver>> = {
  ops: {
    name: "ops",
    kind: "slack",
    channel: "#ops",
    perMinuteMax: 3,
    triesMax: null,
    sendResolved: true,
  },
  pagerduty: {
    name: "pagerduty",
    kind: "pagerduty",
    perMinuteMax: 20,
    triesMax: null,
    sendResolved: true,
  },
  hook: {
    name: "hook",
    kind: "webhook",
    url: "http://127.0.0.1:1/",
    perMinuteMax: 12,
    triesMax: null,
    sendResolved: true,
  },
  thrice: {
    name: "thrice",
    kind: "webhook",
    url: "http://127.0.0.1:1/",
    perMinuteMax: 12,
    triesMax: 3,
    sendResolved: true,
  },
};
const POLICY: PolicySet = makePolicy({
  routes: {
    receivers: RECEIVERS,
    escalation: [],
    severities: RESPONSE_DEFAULTS,
    runtimeReceivers: { critical: ["pagerduty", "ops"], operator: ["ops"] },
  },
});

const database = lendToFile<Database>(withDatabase);
/** Empty: one database for all tests of the file. */
async function inDatabase(work: (db: Database) => Promise<void>): Promise<void> {
  await database().query("TRUNCATE control.notice, public.jobs CASCADE");
  await work(database());
}

/** What the receivers heard; `answer` is what they say to the next delivery. */
let heard: Delivery[];
let answer: () => Promise<{ reference: string | null }>;
let logged: { event: string; fields: LogFields | undefined }[];
let now: Date;

beforeEach(() => {
  heard = [];
  logged = [];
  answer = async () => ({ reference: "#ops/1" });
  now = new Date();
});

const notifier = (kind: Receiver["kind"]): Notifier => ({
  kind,
  deliver: (delivery) => {
    heard.push(delivery);
    return answer();
  },
});
const ALL = (["slack", "pagerduty", "webhook"] as const).map(
  (kind) => [kind, notifier(kind)] as const,
);

const log: Logger = {
  ...silentLogger,
  info: (event, fields) => void logged.push({ event, fields }),
  warn: (event, fields) => void logged.push({ event, fields }),
  error: (event, fields) => void logged.push({ event, fields }),
};

function contextOf(id: number, signal = new AbortController().signal): JobContext {
  const job = {
    seq: 1,
    id: "job-1",
    kind: "notice",
    payload: { notice_id: id },
    attempt: 1,
    fence: 1,
    crashCount: 0,
    createdAt: now,
  };
  return { job, signal, log, progress: () => {}, now: () => now, compensateWith: async () => {} };
}

function enqueue(db: Database, overrides: Partial<NewNotice> = {}): Promise<number> {
  return enqueueNotice(db, makeNotice(overrides));
}

const handler = (db: Database, notifiers = new Map<Receiver["kind"], Notifier>(ALL)) =>
  createNoticeHandler({ db, policy: () => POLICY, notifiers, random: () => 0.5 });
const send = (db: Database, id: number) => handler(db).run(contextOf(id)) as Promise<JsonObject>;
const failing = (failure: Fault) => {
  answer = () => Promise.reject(failure);
};
const events = () => logged.map(({ event }) => event);

describe("a notice that goes out", () => {
  test("is delivered as it was written, and remembers what it is called there", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db);
      expect(await send(db, id)).toEqual({ notice_id: id, status: "sent", reference: "#ops/1" });
      expect(heard).toEqual([
        {
          receiver: RECEIVERS.ops,
          ...{ noticeId: id, alerts: 1 },
          dedupKey: "algobrain/queue-depth-high/all",
          action: "trigger",
          severity: "sev2",
          source: "algobrain/queue-depth-high",
          message: { tone: "bad", title: "Queue depth high" },
          details: { value: 1523 },
        },
      ]);
      expect(await readNotice(db, id)).toMatchObject({ status: "sent", reference: "#ops/1" });
    }));

  test("is not sent again by a job that runs twice", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db);
      await send(db, id);
      expect(await send(db, id)).toEqual({ notice_id: id, status: "sent" });
      expect(heard).toHaveLength(1);
    }));
});

describe("a notice that waits", () => {
  test("for a token or key that nobody has set: shown, said once, and sent when it is there", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db);
      const unconfigured = handler(db, new Map());
      for (let n = 0; n < 2; n++) {
        expect(await faultOf(unconfigured.run(contextOf(id)))).toMatchObject({
          kind: "waiting",
          code: "NOTICE_WITHHELD",
          retryAfterMs: 60_000,
          hint: "set SLACK_BOT_TOKEN",
        });
      }
      expect(events()).toEqual(["notice.withheld"]);
      expect(await readNotice(db, id)).toMatchObject({
        status: "pending",
        attempts: 0,
        lastError: "slack is not configured",
      });
      await send(db, id);
      expect(await readNotice(db, id)).toMatchObject({ status: "sent" });
    }));

  test("behind an older one of the same trouble: a resolve never overtakes its trigger", () =>
    inDatabase(async (db) => {
      const trigger = await enqueue(db, { receiver: "pagerduty" });
      const resolve = await enqueue(db, { receiver: "pagerduty", action: "resolve" });
      expect(await faultOf(send(db, resolve))).toMatchObject({
        kind: "waiting",
        code: "NOTICE_BEHIND",
        retryAfterMs: 1_000,
      });
      await send(db, trigger);
      await send(db, resolve);
      expect(heard.map(({ action }) => action)).toEqual(["trigger", "resolve"]);
    }));

  test("for its token of the minute, but a page has tokens of its own and a digest needs none", () =>
    inDatabase(async (db) => {
      for (let n = 0; n < 3; n++) await send(db, await enqueue(db, { dedupKey: `k${n}` }));
      const fourth = await enqueue(db, { dedupKey: "k3" });
      now = new Date(now.getTime() + 20_000);
      expect(await faultOf(send(db, fourth))).toMatchObject({
        kind: "waiting",
        code: "NOTICE_RATE_LIMITED",
        retryAfterMs: 40_000,
      });
      await send(db, await enqueue(db, { dedupKey: "page", severity: "sev1" }));
      await send(db, await enqueue(db, { dedupKey: "folded", reason: "digest" }));
      now = new Date(now.getTime() + 40_001);
      await send(db, fourth);
      expect(heard).toHaveLength(6);
    }));

  test("for a receiver that is away, without burning attempts of its job", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db, { receiver: "pagerduty" });
      failing(fault.transient("PAGERDUTY_TIMED_OUT", "no answer within 10000 ms"));
      const waits: number[] = [];
      for (let n = 0; n < 8; n++) {
        const failure = await faultOf(send(db, id));
        expect(failure).toMatchObject({ kind: "waiting", code: "PAGERDUTY_TIMED_OUT" });
        waits.push(failure.retryAfterMs ?? 0);
      }
      expect(waits[0]).toBeLessThan(3_000);
      expect(waits[7]).toBeGreaterThan(40_000);
      expect(waits[7]).toBeLessThanOrEqual(72_000);
      expect(await readNotice(db, id)).toMatchObject({
        status: "pending",
        attempts: 8,
        lastError: "PAGERDUTY_TIMED_OUT: no answer within 10000 ms",
      });
    }));

  test("as long as the receiver says, which counts as no try", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db, { receiver: "hook" });
      failing(fault.waiting("WEBHOOK_RATE_LIMITED", "slow down", { retryAfterMs: 7_000 }));
      for (let n = 0; n < 5; n++) {
        expect(await faultOf(send(db, id))).toMatchObject({ kind: "waiting", retryAfterMs: 7_000 });
      }
      expect(await readNotice(db, id)).toMatchObject({ status: "pending", attempts: 0 });
    }));

  test("after a stop of our own process, of which the receiver knows nothing", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db);
      const stopped = AbortSignal.abort();
      failing(fault.transient("SLACK_ABORTED", "given up"));
      expect(await faultOf(handler(db).run(contextOf(id, stopped)))).toMatchObject({
        code: "SLACK_ABORTED",
      });
      expect(await readNotice(db, id)).toMatchObject({
        status: "pending",
        attempts: 0,
        lastError: null,
      });
    }));
});

describe("a delivery whose answer was lost", () => {
  const looking = (db: Database, found: Delivered | null) => {
    const looked: Delivery[] = [];
    const find: Notifier["find"] = async (delivery) => {
      looked.push(delivery);
      return found;
    };
    const slack = { ...notifier("slack"), find };
    const sends = handler(db, new Map<Receiver["kind"], Notifier>([["slack", slack]]));
    return { looked, send: (id: number) => sends.run(contextOf(id)) };
  };
  const lost = fault.transient("SLACK_TIMED_OUT", "no answer within 10000 ms");

  test("is looked for before it is made again, and found", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db);
      const way = looking(db, { reference: "C1/17" });
      failing(lost);
      await faultOf(way.send(id));
      expect(await way.send(id)).toMatchObject({ status: "sent", reference: "C1/17" });
      expect([heard.length, way.looked.length]).toEqual([1, 1]);
      expect(events()).toContain("notice.found");
    }));

  test("is made again when it is not there", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db);
      const way = looking(db, null);
      failing(lost);
      await faultOf(way.send(id));
      answer = async () => ({ reference: "C1/18" });
      expect(await way.send(id)).toMatchObject({ reference: "C1/18" });
      expect([heard.length, way.looked.length]).toEqual([2, 1]);
    }));

  test("is not looked for after an answer, or when it never left us", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db);
      const way = looking(db, { reference: "another's" });
      failing(fault.transient("SLACK_UNREACHABLE", "nobody there", { details: { sent: false } }));
      await faultOf(way.send(id));
      failing(fault.waiting("SLACK_RATE_LIMITED", "slow down", { retryAfterMs: 7_000 }));
      await faultOf(way.send(id));
      answer = async () => ({ reference: "C1/19" });
      expect(await way.send(id)).toMatchObject({ reference: "C1/19" });
      expect(way.looked).toEqual([]);
    }));
});

describe("a dead letter", () => {
  const isDead = async (db: Database, id: number, error: string) => {
    expect(await send(db, id)).toEqual({ notice_id: id, status: "dead", error });
    expect(await readNotice(db, id)).toMatchObject({ status: "dead", lastError: error });
    expect(events()).toContain("notice.dead-lettered");
  };

  test("is a message that the receiver will never take", () =>
    inDatabase(async (db) => {
      failing(fault.data("SLACK_MESSAGE_REFUSED", "Slack answered invalid_blocks"));
      await isDead(db, await enqueue(db), "SLACK_MESSAGE_REFUSED: Slack answered invalid_blocks");
    }));

  test("is one whose receiver has left the routes", () =>
    inDatabase(async (db) => {
      await isDead(db, await enqueue(db, { receiver: "gone" }), 'no receiver "gone" in routes');
    }));

  test("is one that was tried as often as its receiver allows; waiting is no try", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db, { receiver: "thrice" });
      failing(fault.waiting("WEBHOOK_RATE_LIMITED", "slow down", { retryAfterMs: 7_000 }));
      await faultOf(send(db, id));
      failing(fault.transient("WEBHOOK_FAILED", "it answered 500"));
      for (let n = 0; n < 2; n++)
        expect(await faultOf(send(db, id))).toMatchObject({ kind: "waiting" });
      await isDead(db, id, "WEBHOOK_FAILED: it answered 500, 3 times");
      expect(await readNotice(db, id)).toMatchObject({ attempts: 3 });
    }));

  test("is no webhook whose receiver is only away, however often it was tried", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db, { receiver: "hook" });
      failing(fault.transient("WEBHOOK_FAILED", "it answered 500"));
      for (let n = 0; n < 9; n++) await faultOf(send(db, id));
      expect(await readNotice(db, id)).toMatchObject({ status: "pending", attempts: 9 });
      answer = async () => ({ reference: null });
      expect(await send(db, id)).toMatchObject({ status: "sent" });
    }));

  test("is what nobody could deliver for a day", () =>
    inDatabase(async (db) => {
      const id = await enqueue(db);
      now = new Date(now.getTime() + 25 * 3_600_000);
      await isDead(db, id, "not delivered for a day");
      expect(heard).toEqual([]);
    }));

  test("does not hold back what comes behind it", () =>
    inDatabase(async (db) => {
      const trigger = await enqueue(db);
      const resolve = await enqueue(db, { action: "resolve" });
      failing(fault.data("SLACK_MESSAGE_REFUSED", "no"));
      await send(db, trigger);
      answer = async () => ({ reference: null });
      expect(await send(db, resolve)).toMatchObject({ status: "sent" });
    }));
});

describe("words of the runtime", () => {
  const word = {
    audience: "critical" as const,
    severity: "sev1" as const,
    key: "safe-mode",
    place: "job-7",
    message: { tone: "bad" as const, title: "safe mode is on" },
    details: { job_id: "job-7" },
  };
  const toldTo = async (db: Database) =>
    (await listNotices(db, { limit: 99 })).map(({ receiver }) => receiver).sort();

  test("go to every receiver of their audience, in the transaction that caused them", () =>
    inDatabase(async (db) => {
      const notify = createRuntimeNotify({ policy: () => POLICY, now: () => now });
      await db.transaction((tx) => notify(tx, word));
      expect(await toldTo(db)).toEqual(["ops", "pagerduty"]);
      await notify(db, { ...word, audience: "operator", key: "job-7/quarantine" });
      expect(await toldTo(db)).toEqual(["ops", "ops", "pagerduty"]);
    }));

  test("are one message while they are waiting and for five minutes, then they are news again", () =>
    inDatabase(async (db) => {
      const notify = createRuntimeNotify({ policy: () => POLICY, now: () => now });
      for (let n = 0; n < 3; n++) await notify(db, { ...word, audience: "operator" });
      const [pending] = await listNotices(db, { limit: 9 });
      await send(db, pending!.id);
      await notify(db, { ...word, audience: "operator" });
      expect(await toldTo(db)).toEqual(["ops"]);
      now = new Date(now.getTime() + 5 * 60_000 + 1);
      await notify(db, { ...word, audience: "operator" });
      expect(await toldTo(db)).toEqual(["ops", "ops"]);
    }));
});
