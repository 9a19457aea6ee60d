/**
 * kill -9 at any statement of a tick and of what sends its notices, and another process that goes on, at once or ticks
 * later: no firing alert is forgotten, none is told twice, none is resolved by the restart.
 */
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Delivery, Notifier } from "../../src/alert/port.js";
import { silentLogger } from "../../src/base/log.js";
import type { JobContext } from "../../src/job/port.js";
import type { PolicySet, Receiver } from "../../src/policy/policy.js";
import { LEADER_SOURCE } from "../../src/runtime/evaluator-board.js";
import { createNoticeHandler } from "../../src/runtime/handler/notice.js";
import { createSpeak } from "../../src/runtime/speak.js";
import { createEvaluateAlertsTick } from "../../src/runtime/tick/evaluate-alerts.js";
import { listActiveAlerts, listAlertHistory } from "../../src/store/alerts.js";
import type { Database } from "../../src/store/database.js";
import { insertSamples } from "../../src/store/samples.js";
import { mortalDatabase } from "../support/crash-points.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../support/make-policy.js";

const START = 1_700_000_040_000;
const EVERY = 15_000;
const [LOW, HIGH, WORSE] = [1, 1_500, 9_000];
const QUEUES = ["index", "score"];

const rule = makeRule({
  name: "depth-high",
  everyMs: EVERY,
  by: ["queue"],
  signal: { form: "last", of: { metric: "depth", where: {} } },
  levels: [
    makeLevel({ id: "AR-06", value: 1_000, forMs: EVERY, notify: ["ops", "pagerduty"] }),
    makeLevel({ id: "AR-07", severity: "sev1", value: 5_000, notify: ["ops", "pagerduty"] }),
  ],
  groupWaitMs: 0,
  groupIntervalMs: 0,
  cooldownMs: 0,
  repeatMs: 14_400_000,
});
const base = { perMinuteMax: 1_000, triesMax: null, sendResolved: true };
const receivers: Record<string, Receiver> = {
  ops: { name: "ops", kind: "slack", channel: "#ops", ...base },
  pagerduty: { name: "pagerduty", kind: "pagerduty", ...base },
};
const shipped = makePolicy({ alerts: [rule], metrics: { depth: makeMetric("depth") } });
const policy: PolicySet = { ...shipped, routes: { ...shipped.routes, receivers } };

/** By series; null: no sample came. */
type Values = readonly (number | null)[];

/** What people heard. Slack is asked whether it has heard a notice; PagerDuty folds what it hears twice. */
class Receivers {
  readonly slack: Delivery[] = [];
  readonly pagerduty = new Map<number, Delivery>();

  readonly notifiers = new Map<Receiver["kind"], Notifier>([
    [
      "slack",
      {
        kind: "slack",
        deliver: async (delivery) => {
          this.slack.push(delivery);
          return { reference: "#ops/1" };
        },
        find: async ({ noticeId }) =>
          this.slack.some((one) => one.noticeId === noticeId) ? { reference: "#ops/1" } : null,
      },
    ],
    [
      "pagerduty",
      {
        kind: "pagerduty",
        deliver: async (delivery) => {
          this.pagerduty.set(delivery.noticeId!, delivery);
          return { reference: null };
        },
      },
    ],
  ]);

  /** Of one queue, in order: "trigger sev2", "resolve sev2". */
  heard(kind: "slack" | "pagerduty", queue: string): string[] {
    const all = kind === "slack" ? this.slack : [...this.pagerduty.values()];
    return all
      .filter(({ dedupKey }) => dedupKey.endsWith(`queue=${queue}`))
      .map(({ action, severity }) => `${action} ${severity}`);
  }
}

let made: TestDatabase;
beforeAll(async () => {
  made = await createTestDatabase();
});
afterAll(() => made.drop());
beforeEach(clear);

const CLEARED = [
  ...["alert_state", "alert_event", "alert_clock", "alert_group", "receiver_lane", "digest_entry"],
  ...["notice", "lease", "sample_round", "sign_of_life"],
];

async function clear(): Promise<void> {
  await made.db.query(CLEARED.map((table) => `DELETE FROM ${table}`).join(";"));
}

/** One life of the program: it judges, and then sends what waits in the outbox. */
function beBorn(db: Database, name: string, receiving: Receivers) {
  const tick = createEvaluateAlertsTick({
    ...{ db, holder: name, log: silentLogger, policy: () => policy, speak: createSpeak() },
  });
  const deps = { db, policy: () => policy, notifiers: receiving.notifiers, random: () => 0.5 };
  const sender = createNoticeHandler(deps);
  const { signal } = new AbortController();
  return async (n: number): Promise<void> => {
    const now = new Date(START + n * EVERY + 1_000);
    await tick.run(now, signal);
    const { rows } = await db.query<{ id: number }>(
      "SELECT id FROM control.notice WHERE status = 'pending' ORDER BY id",
    );
    for (const { id } of rows) await sender.run(contextOf(id, now, signal));
  };
}

function contextOf(id: number, now: Date, signal: AbortSignal): JobContext {
  const job = {
    ...{ seq: id, id: `job-${id}`, kind: "notice", payload: { notice_id: id } },
    ...{ attempt: 1, fence: 1, crashCount: 0, createdAt: now },
  };
  const nothing = { progress: () => {}, compensateWith: async () => {} };
  return { job, signal, log: silentLogger, now: () => now, ...nothing };
}

/** The collector is another process: it goes on whoever dies. */
async function collect(n: number, values: Values): Promise<void> {
  const at = new Date(START + n * EVERY);
  const samples = QUEUES.flatMap((queue, i) => {
    const value = values[i] ?? null;
    return value === null ? [] : [{ metric: "depth", labels: { queue }, at, value }];
  });
  // A round of this moment there always is, of which the evaluator knows that nothing more will come.
  const beat = { metric: "beat", labels: {}, at, value: n };
  await insertSamples(made.db, [...samples, beat], LEADER_SOURCE);
}

interface Death {
  /** During this tick. */
  readonly tick: number;
  /** Before this one of its statements; what it has sent by then it has sent. */
  readonly statement: number;
  /** So many ticks nobody judges; 0: another process judges the same tick. */
  readonly downTicks: number;
  /** It has just taken over when it dies, and reads what another left. */
  readonly isYoung: boolean;
}

/** Lives through the history; answers whether the death came to pass. */
async function live(
  history: readonly Values[],
  death: Death,
  receiving: Receivers,
): Promise<boolean> {
  let mortal = mortalDatabase(made.db);
  let run = beBorn(mortal, "first", receiving);
  for (const [n, values] of history.entries()) {
    await collect(n, values);
    if (mortal.isDead && n < death.tick + death.downTicks) continue;
    if (n === death.tick) {
      if (death.isYoung) {
        mortal = mortalDatabase(made.db);
        run = await succeed(mortal, receiving);
      }
      mortal.dieBefore(death.statement);
    }
    await run(n).catch((error: unknown) => {
      // What befalls those who live on is no death.
      if (n !== death.tick || !mortal.isDead) throw error;
    });
    mortal.dieBefore(null);
    if (n !== death.tick || !mortal.isDead) continue;
    run = await succeed(made.db, receiving);
    if (death.downTicks === 0) await run(n);
  }
  return mortal.isDead;
}

/** Another process, when the time of the former's lease is over. */
async function succeed(db: Database, receiving: Receivers) {
  await made.db.query("UPDATE control.lease SET expires_at = now()");
  return beBorn(db, "another", receiving);
}

const transitions = async () =>
  (await listAlertHistory(made.db, 200)).map(({ transition }) => transition).reverse();

test("dying before any statement of the tick that fires changes nothing that people hear", async () => {
  const history = [LOW, WORSE, LOW].map((value): Values => [value, LOW]);
  const told = ["trigger sev1", "resolve sev1"];
  let deaths = 0;
  for (let isWithin = true; isWithin; ) {
    await clear();
    const receiving = new Receivers();
    const death = { tick: 1, statement: deaths, downTicks: 0, isYoung: false };
    isWithin = await live(history, death, receiving);
    const where = `before statement ${deaths}`;
    deaths += Number(isWithin);
    expect(receiving.heard("slack", "index"), where).toEqual(told);
    expect(receiving.heard("pagerduty", "index"), where).toEqual(told);
    expect(await listActiveAlerts(made.db), where).toEqual([]);
    expect(await transitions(), where).toEqual(["fired", "resolved"]);
  }
  // From the first look at the samples to the mark that the second receiver has heard it.
  expect(deaths).toBeGreaterThan(25);
});

test.each(["before", "after"] as const)(
  "a process whose session ends %s the commit, and which lives on, tells each alert once and forgets none",
  async (when) => {
    const receiving = new Receivers();
    let isCut = false;
    const cut = () => {
      if (isCut) throw new Error("Connection terminated unexpectedly");
    };
    const db: Database = {
      ...made.db,
      transaction: async (work) => {
        const done = await made.db.transaction(async (tx) => {
          const its = await work(tx);
          if (when === "before") cut();
          return its;
        });
        cut();
        return done;
      },
    };
    const run = beBorn(db, "first", receiving);
    for (const [n, value] of [LOW, WORSE, WORSE, LOW].entries()) {
      await collect(n, [value, LOW]);
      isCut = n === 1;
      if (isCut) await expect(run(n)).rejects.toThrow("Connection terminated");
      isCut = false;
      await run(n);
    }
    expect(receiving.heard("slack", "index")).toEqual(["trigger sev1", "resolve sev1"]);
    expect(await transitions()).toEqual(["fired", "resolved"]);
  },
);

const value = fc.constantFrom(LOW, LOW, HIGH, HIGH, WORSE, null);
const history = fc.array(fc.tuple(value, value), { minLength: 2, maxLength: 5 });
const death = fc.record({
  tick: fc.nat(4),
  statement: fc.nat(14),
  downTicks: fc.nat(3),
  isYoung: fc.boolean(),
});

test("whatever happened before, and however long nobody judged: each alert is told once, and each end", async () => {
  let deaths = 0;
  const check = fc.asyncProperty(history, death, async (past, its) => {
    await clear();
    const receiving = new Receivers();
    // It burns when it dies, if ever, and long enough after it for whoever goes on to see it; then all is well.
    const burning = Array.from({ length: 6 }, (): Values => [HIGH, HIGH]);
    const all: Values[] = [...past, ...burning, [LOW, LOW]];
    deaths += Number(await live(all, its, receiving));
    for (const queue of QUEUES) {
      const slack = receiving.heard("slack", queue);
      expect(receiving.heard("pagerduty", queue)).toEqual(slack);
      expectTold(slack);
    }
    expect(await listActiveAlerts(made.db)).toEqual([]);
    await expectNoneEndedByItself(all);
  });
  await fc.assert(check, { numRuns: 40, seed: 20_261_122, interruptAfterTimeLimit: 4_000 });
  expect(deaths).toBeGreaterThan(0);
});

/** Nothing is said twice, what was said is ended, and nothing else is. */
function expectTold(said: readonly string[]): void {
  let known: string | null = null;
  for (const word of said) {
    const [action, severity] = word.split(" ");
    if (action === "trigger") expect(severity, `${said}`).not.toBe(known);
    else expect(known, `${said}`).not.toBeNull();
    known = action === "trigger" ? severity! : null;
  }
  expect(said.length, `${said}`).toBeGreaterThan(0);
  expect(known, `${said}`).toBeNull();
}

/** An end is said by a sample: at its tick the series was low. */
async function expectNoneEndedByItself(all: readonly Values[]): Promise<void> {
  for (const { transition, instance, at } of await listAlertHistory(made.db, 200)) {
    if (transition !== "resolved") continue;
    const n = (at.getTime() - START) / EVERY;
    expect(all[n]![QUEUES.indexOf(instance.slice("queue=".length))]).toBe(LOW);
  }
}
