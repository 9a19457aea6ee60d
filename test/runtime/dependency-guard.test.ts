/** The real client libraries behind guards of two processes that share a database; only the other sides are stand-ins. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSlack } from "../../src/adapter/slack.js";
import { type StandInSlack, startStandInSlack } from "../../src/adapter/stand-in/slack.js";
import { type StandInWebhook, startStandInWebhook } from "../../src/adapter/stand-in/webhook.js";
import { createWebhookNotifier } from "../../src/adapter/webhook.js";
import type { Delivery, Notifier } from "../../src/alert/port.js";
import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import { silentLogger } from "../../src/base/log.js";
import type { Receiver } from "../../src/policy/policy.js";
import { resetBreakers } from "../../src/runtime/breaker-orders.js";
import { DependencyBoard } from "../../src/runtime/dependency-board.js";
import { createDependencyGuard, type DependencyGuard } from "../../src/runtime/dependency-guard.js";
import type { RuntimeEvent } from "../../src/runtime/events.js";
import { guardNotifier } from "../../src/runtime/guarded-ports.js";
import { createNoticeHandler } from "../../src/runtime/handler/notice.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import { dependenciesSource } from "../../src/runtime/sample/dependencies.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { listDependencies } from "../../src/store/dependencies.js";
import { enqueueNotice, readNotice } from "../../src/store/notices.js";
import { faultOf, makeDelivery, never, SLACK_RECEIVER } from "../contract/delivery.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeContext } from "../support/job-context.js";
import { makeNotice } from "../support/make-notice.js";
import { makePolicy } from "../support/make-policy.js";
import { until } from "../support/until.js";

const TOKEN = "xoxb-stand-in";
const T0 = new Date("2026-01-28T12:00:00.000Z");

let lent: TestDatabase;
let db: Database;
let slack: StandInSlack;
let webhook: StandInWebhook;
let now: number;
/** How many statements the processes have sent. */
let statements: number;
let isAway: boolean;
/** Longer than anybody waits. */
let isSlow: boolean;

beforeAll(async () => {
  lent = await createTestDatabase();
  db = counted(lent.db);
});
afterAll(() => lent.drop());
beforeEach(async () => {
  await lent.db.query("TRUNCATE control.dependency");
  now = T0.getTime();
  statements = 0;
  isAway = false;
  isSlow = false;
  slack = await startStandInSlack({ token: TOKEN });
  webhook = await startStandInWebhook();
});
afterEach(async () => {
  await slack.close();
  await webhook.close();
});

function counted(inner: Database): Database {
  const ask = <T>(question: () => Promise<T>): Promise<T> => {
    statements += 1;
    return isAway ? Promise.reject(fault.transient("DATABASE_UNAVAILABLE", "away")) : question();
  };
  return {
    ...inner,
    query: (text, values) => ask(() => inner.query(text, values)),
    transaction: (work) => ask(() => inner.transaction(work)),
  };
}

/** It is over at once, or only when the answer is there: no test waits for time. */
async function patience(_: number, signal?: AbortSignal): Promise<void> {
  if (isSlow) return;
  await new Promise<void>((over) => signal?.addEventListener("abort", () => over()));
}

interface Process {
  readonly guard: DependencyGuard;
  readonly events: RuntimeEvent[];
  readonly words: RuntimeWord[];
  readonly slack: Notifier;
  readonly webhook: Notifier;
}

function startProcess(): Process {
  const events: RuntimeEvent[] = [];
  const words: RuntimeWord[] = [];
  const deps = {
    ...{ db, clock: { now: () => new Date(now), sleep: patience }, log: silentLogger },
    emit: (event: RuntimeEvent) => void events.push(event),
    notify: async (_: unknown, word: RuntimeWord) => void words.push(word),
    policy: () => makePolicy(),
  };
  const guard = createDependencyGuard({ ...deps, board: new DependencyBoard(deps) });
  const notifiers = {
    slack: createSlack({ token: TOKEN, apiUrl: slack.url }).notifier,
    webhook: createWebhookNotifier({ timeoutMs: 2_000 }),
  };
  return {
    ...{ guard, events, words },
    slack: guardNotifier(notifiers.slack, guard),
    webhook: guardNotifier(notifiers.webhook, guard),
  };
}

const hook = (name = "hook"): Receiver => ({
  ...{
    name,
    kind: "webhook",
    url: webhook.url,
    perMinuteMax: 12,
    triesMax: null,
    sendResolved: true,
  },
});
const toSlack = (process: Process, severity: Delivery["severity"] = "sev2") =>
  process.slack.deliver(makeDelivery({ receiver: SLACK_RECEIVER, severity }), never());
const toHook = (process: Process, name?: string, severity: Delivery["severity"] = "sev2") =>
  process.webhook.deliver(makeDelivery({ receiver: hook(name), severity }), never());

const failTimes = (count: number, status = 500) =>
  webhook.misbehave(
    ...Array.from({ length: count }, () => ({
      kind: "answer" as const,
      answer: { status, body: {} },
    })),
  );
async function openByFailures(process: Process): Promise<void> {
  failTimes(5);
  for (let n = 0; n < 5; n++) {
    expect(await faultOf(toHook(process))).toMatchObject({ code: "WEBHOOK_FAILED" });
  }
}
const rowOf = async (name: string) =>
  (await listDependencies(lent.db)).find((row) => row.name === name);

describe("a dependency that asks us to wait", () => {
  it("is left alone by every process until then, and nobody else is", async () => {
    const [one, two] = [startProcess(), startProcess()];
    await toHook(two);
    slack.rateLimit(7);
    expect(await faultOf(toSlack(one))).toMatchObject({ code: "SLACK_RATE_LIMITED" });
    now += 1_000;
    for (const process of [one, two]) {
      expect(await faultOf(toSlack(process))).toMatchObject({
        ...{ kind: "waiting", code: "DEPENDENCY_GATED", retryAfterMs: 6_000 },
      });
    }
    await toHook(one);
    expect(slack.messages).toEqual([]);
    now += 6_000;
    await toSlack(two);
    await toSlack(one);
    expect(slack.messages).toHaveLength(2);
    expect(one.events).toEqual([
      { event: "gate.closed", dependency: "slack", until: "2026-01-28T12:00:07.000Z" },
    ]);
  });

  it("is asked for a page once a minute all the same", async () => {
    const process = startProcess();
    slack.rateLimit(600);
    await faultOf(toSlack(process));
    await toSlack(process, "sev1");
    expect(await faultOf(toSlack(process, "sev1"))).toMatchObject({ retryAfterMs: 60_000 });
    now += 60_000;
    await toSlack(process, "sev1");
    expect(await faultOf(toSlack(process))).toMatchObject({ code: "DEPENDENCY_GATED" });
    expect(slack.messages).toHaveLength(2);
  });
});

describe("a dependency that fails", () => {
  it("is left alone by all after five failures, probed after a while, and called again", async () => {
    const [one, two] = [startProcess(), startProcess()];
    await openByFailures(one);
    expect(await faultOf(toHook(two))).toMatchObject({
      ...{ kind: "waiting", code: "BREAKER_OPEN", retryAfterMs: 30_000 },
    });
    await toHook(two, "other");
    expect(webhook.received).toHaveLength(1);
    now += 30_000;
    await toHook(two);
    expect(await rowOf("webhook/hook")).toMatchObject({ breaker: { state: "half_open" } });
    now += 1_000;
    await toHook(one);
    expect(await rowOf("webhook/hook")).toMatchObject({ breaker: { state: "closed" } });
    expect([...one.events, ...two.events].map(({ event }) => event)).toEqual([
      ...["breaker.opened", "breaker.closed", "breaker.half-opened"],
    ]);
    expect(one.words.map(({ action, key }) => [action, key])).toEqual([
      ["trigger", "breaker/webhook/hook"],
      ["resolve", "breaker/webhook/hook"],
    ]);
    expect(two.words).toEqual([]);
    // What opened it is forgotten: one more failure is only one.
    failTimes(1);
    await faultOf(toHook(one));
    await toHook(one);
  });

  it("is left alone again with the first probe that fails", async () => {
    const process = startProcess();
    await openByFailures(process);
    now += 30_000;
    failTimes(1);
    expect(await faultOf(toHook(process))).toMatchObject({ code: "WEBHOOK_FAILED" });
    expect(await faultOf(toHook(process))).toMatchObject({ retryAfterMs: 30_000 });
    expect(process.words).toHaveLength(1);
  });

  it.each([
    ["many processes ask at once", false],
    ["many calls of a process ask at once while the database is away", true],
  ])("lets three probes through, however %s", async (_, alone) => {
    const one = startProcess();
    const processes = alone ? [one, one] : [one, startProcess()];
    await openByFailures(one);
    now += 30_000;
    isAway = alone;
    let began = 0;
    let refused = 0;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const call = { dependency: "webhook/hook", signal: never() } as const;
    const calls = [0, 1, 2, 3, 4, 5, 6, 7].map((n) =>
      processes[n % 2]!.guard(call, () => {
        began += 1;
        return ended;
      }),
    );
    const done = calls.map((one) =>
      one.catch(() => {
        refused += 1;
      }),
    );
    await until(() => began + refused === calls.length, "each call is let through or refused");
    expect(began).toBe(3);
    end();
    await Promise.all(done);
  });

  it("keeps no page waiting for longer than five seconds", async () => {
    const process = startProcess();
    await openByFailures(process);
    failTimes(1);
    expect(await faultOf(toHook(process, "hook", "sev1"))).toMatchObject({
      code: "WEBHOOK_FAILED",
    });
    expect(await faultOf(toHook(process, "hook", "sev1"))).toMatchObject({
      ...{ code: "BREAKER_OPEN", retryAfterMs: 5_000 },
    });
    now += 5_000;
    await toHook(process, "hook", "sev1");
    expect(webhook.received).toHaveLength(1);
    // That it got through is a reason to let others probe.
    await toHook(process);
    expect(await rowOf("webhook/hook")).toMatchObject({ breaker: { state: "closed" } });
  });

  it("burns no attempt of what waits for it", async () => {
    const process = startProcess();
    await openByFailures(process);
    const base = makePolicy();
    const policy = { ...base, routes: { ...base.routes, receivers: { hook: hook() } } };
    const handler = createNoticeHandler({
      ...{ db, policy: () => policy, random: () => 0 },
      notifiers: new Map([["webhook", process.webhook]]),
    });
    const id = await enqueueNotice(lent.db, makeNotice({ receiver: "hook" }));
    const context = makeContext({
      payload: { notice_id: id },
      now: systemClock.now().toISOString(),
    });
    expect(await faultOf(handler.run(context))).toMatchObject({
      ...{ kind: "waiting", code: "BREAKER_OPEN", retryAfterMs: 30_000 },
    });
    expect(await readNotice(lent.db, id)).toMatchObject({ status: "pending", attempts: 0 });
    now += 30_000;
    expect(await handler.run(context)).toMatchObject({ status: "sent" });
  });
});

describe("what says nothing about its health", () => {
  it("is a refusal of what we sent, our own stop, and our own mistake", async () => {
    const process = startProcess();
    failTimes(6, 400);
    for (let n = 0; n < 6; n++) {
      expect(await faultOf(toHook(process))).toMatchObject({ code: "WEBHOOK_REFUSED" });
    }
    const receiver = hook("other");
    for (let n = 0; n < 6; n++) {
      const stopped = process.webhook.deliver(makeDelivery({ receiver }), AbortSignal.abort());
      expect(await faultOf(stopped)).toMatchObject({ code: "WEBHOOK_ABORTED" });
    }
    const call = { dependency: "webhook/other", signal: never() } as const;
    for (let n = 0; n < 6; n++) {
      await expect(
        process.guard(call, () => Promise.reject(new TypeError("oops"))),
      ).rejects.toThrow();
    }
    await toHook(process, "other");
    expect(process.events).toEqual([]);
  });
});

describe("what is shared", () => {
  it("costs a healthy call no round trip, and figures are written every few seconds", async () => {
    const process = startProcess();
    for (let n = 0; n < 50; n++) await toHook(process);
    expect(statements).toBe(2);
    now += 5_000;
    await toHook(process);
    expect(statements).toBe(4);
    expect(await rowOf("webhook/hook")).toMatchObject({
      ...{ version: 0, stats: { calls: 51, successRate: 1, p95Ms: 0 } },
      measuredAt: new Date(now),
    });
  });

  it.each(["away", "slow"])(
    "is decided by memory while the database is %s, and told when it is back",
    async (how) => {
      const [one, two] = [startProcess(), startProcess()];
      isAway = how === "away";
      isSlow = how === "slow";
      await openByFailures(one);
      expect(await faultOf(toHook(one))).toMatchObject({ code: "BREAKER_OPEN" });
      const asked = statements;
      await faultOf(toHook(one));
      expect(statements).toBe(asked);
      isAway = false;
      isSlow = false;
      now += 5_000;
      expect(await faultOf(toHook(one))).toMatchObject({ retryAfterMs: 25_000 });
      expect(await rowOf("webhook/hook")).toMatchObject({ breaker: { state: "open" } });
      expect(one.words).toHaveLength(1);
      expect(await faultOf(toHook(two))).toMatchObject({ code: "BREAKER_OPEN" });
    },
  );

  it("is heard of by all though the clock is set back by an hour, and pages pass as before", async () => {
    const [one, two] = [startProcess(), startProcess()];
    await toHook(two);
    await openByFailures(one);
    failTimes(1);
    await faultOf(toHook(one, "hook", "sev1"));
    now -= 3_600_000;
    expect(await faultOf(toHook(two))).toMatchObject({ code: "BREAKER_OPEN" });
    const received = webhook.received.length;
    await toHook(one, "hook", "sev1");
    expect(webhook.received).toHaveLength(received + 1);
  });

  it("is measured: closed, open, and half open as soon as it may be probed", async () => {
    const process = startProcess();
    const measured = async () =>
      (await dependenciesSource(lent.db).collect(new Date(now))).map(({ value }) => value);
    expect(await measured()).toEqual([]);
    await toHook(process);
    expect(await measured()).toEqual([0]);
    failTimes(5);
    for (let n = 0; n < 5; n++) await faultOf(toHook(process));
    expect(await measured()).toEqual([2]);
    now += 30_000;
    expect(await measured()).toEqual([1]);
  });

  it("is closed by a person for all processes, with a reason in the audit", async () => {
    const [one, two] = [startProcess(), startProcess()];
    await openByFailures(one);
    expect(await faultOf(toHook(two))).toMatchObject({ code: "BREAKER_OPEN" });
    const told: RuntimeWord[] = [];
    const deps = {
      ...{ db: lent.db, clock: systemClock, emit: () => {} },
      notify: async (_: unknown, word: RuntimeWord) => void told.push(word),
    };
    const request = { by: "api:ada", reason: "they have fixed it", gate: false };
    expect(await resetBreakers(deps, { ...request, dependency: "nobody" })).toBeNull();
    expect(await resetBreakers(deps, { ...request, dependency: null })).toEqual(["webhook/hook"]);
    expect(await resetBreakers(deps, { ...request, dependency: "webhook/hook" })).toEqual([]);
    expect(told).toMatchObject([{ action: "resolve", key: "breaker/webhook/hook" }]);
    now += 1_000;
    failTimes(1);
    expect(await faultOf(toHook(one))).toMatchObject({ code: "WEBHOOK_FAILED" });
    await toHook(two);
    await toHook(one);
    expect(await rowOf("webhook/hook")).toMatchObject({ changedBy: "api:ada" });
    expect(await readAuditOfTarget(lent.db, "dependency:webhook/hook")).toMatchObject([
      {
        ...{ actor: "api:ada", action: "breaker.reset" },
        details: {
          reason: "they have fixed it",
          was: { state: "open", why: "5 of 5 calls failed" },
        },
      },
    ]);
  });
});
