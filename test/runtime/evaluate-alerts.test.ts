import { beforeEach, describe, expect, test } from "vitest";
import { replayRule } from "../../src/alert/replay.js";
import type { Transition } from "../../src/alert/state.js";
import { silentLogger } from "../../src/base/log.js";
import type { AlertRule, PolicySet } from "../../src/policy/policy.js";
import { EVALUATOR_LEASE } from "../../src/runtime/evaluator.js";
import { LEADER_SOURCE } from "../../src/runtime/evaluator-board.js";
import { createSpeak } from "../../src/runtime/speak.js";
import {
  createEvaluateAlertsTick,
  type EvaluateAlertsDeps,
} from "../../src/runtime/tick/evaluate-alerts.js";
import { listActiveAlerts, listAlertHistory, loadAlertStates } from "../../src/store/alerts.js";
import type { Database } from "../../src/store/database.js";
import { enqueueNotice, listNotices } from "../../src/store/notices.js";
import { loadBoard } from "../../src/store/sample-history.js";
import { insertSamples } from "../../src/store/samples.js";
import { readSigns } from "../../src/store/signs-of-life.js";
import { withDatabase } from "../support/database.js";
import { readLease } from "../support/lease.js";
import { makeNotice } from "../support/make-notice.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../support/make-policy.js";

const START = 1_700_000_040_000;
const EVERY = 15_000;
const at = (tick: number, plusMs = 0) => new Date(START + tick * EVERY + plusMs);
/** When a tick is judged whose round is in. */
const look = (tick: number) => at(tick, 1_000);

function depthRule(overrides: Partial<AlertRule> = {}): AlertRule {
  return makeRule({
    name: "depth-high",
    everyMs: EVERY,
    signal: { form: "last", of: { metric: "depth", where: {} } },
    levels: [makeLevel({ id: "AR-06", value: 1000, forMs: EVERY })],
    groupWaitMs: 0,
    groupIntervalMs: 0,
    cooldownMs: 0,
    ...overrides,
  });
}

const withRules = (...alerts: AlertRule[]) =>
  makePolicy({ alerts, metrics: { depth: makeMetric("depth"), beat: makeMetric("beat") } });

let policy: PolicySet;
beforeEach(() => {
  policy = withRules(depthRule());
});

function tickOf(db: Database, overrides: Partial<EvaluateAlertsDeps> = {}) {
  const base = { db, policy: () => policy, log: silentLogger, holder: "a", speak: createSpeak() };
  const deps = { ...base, ...overrides };
  return createEvaluateAlertsTick(deps);
}

const run = (db: Database, now: Date, overrides: Partial<EvaluateAlertsDeps> = {}) =>
  tickOf(db, overrides).run(now, new AbortController().signal);
const depth = (db: Database, value: number, when: Date) =>
  insertSamples(db, [{ metric: "depth", labels: {}, at: when, value }], LEADER_SOURCE);

/** One sample and one tick for each value. */
async function live(db: Database, values: readonly number[], fromTick = 0): Promise<void> {
  const tick = tickOf(db);
  for (const [i, value] of values.entries()) {
    await depth(db, value, at(fromTick + i));
    await tick.run(look(fromTick + i), new AbortController().signal);
  }
}

const story = async (db: Database) =>
  (await listAlertHistory(db, 200)).reverse().map(({ transition }) => transition);
const told = async (db: Database) =>
  (await listNotices(db, { limit: 200 })).reverse().map(({ action, reason }) => [action, reason]);

test("samples fire an alert and samples resolve it; both are told through the outbox", () =>
  withDatabase(async (db) => {
    await live(db, [1, 1523, 1523, 1]);
    expect(await story(db)).toEqual(["pending", "fired", "resolved"]);
    expect(await told(db)).toEqual([
      ["trigger", "first-notification"],
      ["resolve", "resolved"],
    ]);
    const { rows } = await db.query("SELECT job_type FROM jobs");
    expect(rows).toEqual([{ job_type: "notice" }, { job_type: "notice" }]);
  }));

test("a rule is judged once a tick, at the tick, however often one looks", () =>
  withDatabase(async (db) => {
    await depth(db, 1523, at(0));
    await depth(db, 1523, at(0, 5_000));
    for (const plusMs of [1_000, 1_400, 15_999]) await run(db, at(0, plusMs));
    expect(await listActiveAlerts(db)).toMatchObject([{ phase: "pending", since: at(0) }]);
  }));

test("another process goes on where the first one stopped", () =>
  withDatabase(async (db) => {
    await live(db, [1523]);
    await db.query("UPDATE control.lease SET expires_at = now()");
    await depth(db, 1523, at(1));
    await run(db, look(1), { holder: "b" });
    expect(await story(db)).toEqual(["pending", "fired"]);
  }));

test("while one process holds the lease the other judges nothing", () =>
  withDatabase(async (db) => {
    await live(db, [1523]);
    await depth(db, 1523, at(1));
    await run(db, look(1), { holder: "b" });
    expect(await story(db)).toEqual(["pending"]);
    expect(await readLease(db, EVALUATOR_LEASE)).toMatchObject({ holder: "a" });
  }));

test("two processes at once tell a thing once", () =>
  withDatabase(async (db) => {
    policy = withRules(depthRule({ levels: [makeLevel({ value: 1000 })] }));
    await depth(db, 1523, at(0));
    await Promise.all(["a", "b", "c"].map((holder) => run(db, look(0), { holder })));
    expect(await told(db)).toEqual([["trigger", "first-notification"]]);
  }));

test("down-time holds a pending alert instead of firing it", () =>
  withDatabase(async (db) => {
    policy = withRules(depthRule({ levels: [makeLevel({ value: 1000, forMs: 4 * EVERY })] }));
    await live(db, [1523, 1523]);
    await live(db, [1523], 100);
    expect(await story(db)).toEqual(["pending"]);
  }));

test("a heartbeat that stops is noticed, also when its newest sample is older than every window", () =>
  withDatabase(async (db) => {
    const beat = depthRule({
      name: "orchestrator-down",
      signal: { form: "age", of: { metric: "beat", where: {} } },
      levels: [makeLevel({ id: "AR-05", severity: "sev1", value: 60 })],
      noData: null,
    });
    policy = withRules(beat, depthRule());
    await insertSamples(db, [{ metric: "beat", labels: {}, at: at(0), value: 1 }]);
    await live(db, [1, 1, 1, 1, 1]);
    expect(await story(db)).toEqual([]);
    await live(db, [1], 5);
    expect(await story(db)).toEqual(["fired"]);
    await live(db, [1], 5_000);
    expect(await listActiveAlerts(db)).toMatchObject([{ value: 75_000 }]);
  }));

test("instances of a rule live their own lives", () =>
  withDatabase(async (db) => {
    policy = withRules(depthRule({ by: ["queue"], levels: [makeLevel({ value: 1000 })] }));
    const samples = [
      { metric: "depth", labels: { queue: "index" }, at: at(0), value: 1523 },
      { metric: "depth", labels: { queue: "score" }, at: at(0), value: 3 },
    ];
    await insertSamples(db, samples, LEADER_SOURCE);
    await run(db, look(0));
    expect(await listActiveAlerts(db)).toMatchObject([{ instance: "queue=index" }]);
    expect(await listNotices(db, { limit: 9 })).toMatchObject([
      { dedupKey: "algobrain/depth-high/queue=index" },
    ]);
  }));

describe("automation on alerts", () => {
  test("hears the transitions inside the transaction that records them", () =>
    withDatabase(async (db) => {
      await live(db, [1523]);
      await depth(db, 1523, at(1));
      const heard: Transition[] = [];
      await run(db, look(1), {
        onTransitions: async (tx, transitions) => {
          heard.push(...transitions);
          const { rows } = await tx.query("SELECT FROM control.alert_event");
          expect(rows).toHaveLength(2);
        },
      });
      expect(heard).toMatchObject([{ kind: "fired", level: "AR-06", value: 1523 }]);
    }));

  test("that fails leaves nothing half done: the tick is judged again", () =>
    withDatabase(async (db) => {
      await depth(db, 1523, at(0));
      const failing = tickOf(db, { onTransitions: () => Promise.reject(new Error("no")) });
      const signal = new AbortController().signal;
      await expect(failing.run(look(0), signal)).rejects.toThrow("no");
      expect(await listActiveAlerts(db)).toEqual([]);
      await run(db, look(0));
      expect(await story(db)).toEqual(["pending"]);
    }));
});

describe("a change of policy", () => {
  test("that removes a firing rule tells its end and forgets it", () =>
    withDatabase(async (db) => {
      await live(db, [1523, 1523]);
      policy = withRules(depthRule({ name: "other" }));
      await run(db, at(2, 3_000));
      expect(await story(db)).toEqual(["pending", "fired", "ended-by-edit", "pending"]);
      expect((await told(db)).at(-1)).toEqual(["resolve", "rule-removed"]);
      const { rows } = await db.query("SELECT rule FROM control.alert_state");
      expect(rows).toEqual([{ rule: "other" }]);
    }));

  test("that lowers `for` keeps the time that the condition has held", () =>
    withDatabase(async (db) => {
      policy = withRules(depthRule({ levels: [makeLevel({ value: 1000, forMs: 8 * EVERY })] }));
      await live(db, [1523, 1523, 1523]);
      policy = withRules(depthRule({ levels: [makeLevel({ value: 1000, forMs: 3 * EVERY })] }));
      await live(db, [1523], 3);
      expect(await story(db)).toEqual(["pending", "fired"]);
    }));
});

test("a rule on a metric that nobody emits yet is not judged, and what it had begun is over", () =>
  withDatabase(async (db) => {
    const rule = depthRule({ levels: [makeLevel({ value: 1000 })] });
    policy = withRules(rule);
    await live(db, [1523]);
    policy = withRules({ ...rule, waitsFor: ["depth"] }, depthRule({ name: "other" }));
    await live(db, [1523], 1);
    expect(await listActiveAlerts(db)).toMatchObject([{ rule: "other" }]);
    expect(await told(db)).toContainEqual(["resolve", "rule-removed"]);
  }));

test("what the runtime has just said under the key of a rule is not said again, and its end once", () =>
  withDatabase(async (db) => {
    policy = withRules(depthRule({ levels: [makeLevel({ value: 1000 })] }));
    const said = makeNotice({ dedupKey: "algobrain/depth-high/all", reason: "runtime-word" });
    await db.transaction((tx) => enqueueNotice(tx, said));
    await live(db, [1523, 1523]);
    expect(await told(db)).toEqual([["trigger", "runtime-word"]]);
    expect(await story(db)).toEqual(["fired"]);
    await db.transaction((tx) => enqueueNotice(tx, { ...said, action: "resolve" }));
    await live(db, [1, 1523], 2);
    expect(await story(db)).toEqual(["fired", "resolved", "fired"]);
    expect(await told(db)).toEqual([
      ["trigger", "runtime-word"],
      ["resolve", "runtime-word"],
      ["trigger", "first-notification"],
    ]);
  }));

describe("the samples of a tick", () => {
  const firing = () => withRules(depthRule({ levels: [makeLevel({ value: 1000 })] }));
  const { signal } = new AbortController();

  test("are waited for: a tick is judged when its round is in", () =>
    withDatabase(async (db) => {
      policy = firing();
      const tick = tickOf(db);
      await tick.run(at(0, 1_000), signal);
      await depth(db, 1523, at(0));
      await tick.run(at(0, 2_000), signal);
      expect(await listActiveAlerts(db)).toMatchObject([{ since: at(0), value: 1523 }]);
    }));

  test("are waited for 3 s, and no longer", () =>
    withDatabase(async (db) => {
      policy = firing();
      const tick = tickOf(db);
      await tick.run(at(0, 2_999), signal);
      expect((await readSigns(db)).evaluatorMs).toBeNull();
      await tick.run(at(0, 3_000), signal);
      expect((await readSigns(db)).evaluatorMs).not.toBeNull();
    }));

  test("may be in rows, where a process of the version before collects them", () =>
    withDatabase(async (db) => {
      policy = firing();
      const tick = tickOf(db);
      await depth(db, 1, at(0));
      await tick.run(look(0), signal);
      await db.query(
        "INSERT INTO control.sample (series_id, at, value) SELECT id, $1, 1523 FROM control.series",
        [at(1)],
      );
      await tick.run(at(1, 3_000), signal);
      expect(await listActiveAlerts(db)).toMatchObject([{ value: 1523 }]);
    }));

  test("may come late, and are seen by the windows that they belong to", () =>
    withDatabase(async (db) => {
      const most = { form: "agg", fn: "max", overMs: 60_000, fullWindow: false } as const;
      const rule = depthRule({ levels: [makeLevel({ value: 1000 })] });
      policy = withRules({
        ...rule,
        signal: { ...most, of: { metric: "depth", where: {} } },
      });
      const tick = tickOf(db);
      for (const n of [0, 1, 2]) {
        await depth(db, 1, at(n));
        await tick.run(look(n), signal);
      }
      await insertSamples(db, [{ metric: "depth", labels: {}, at: at(1, 5_000), value: 1523 }]);
      await depth(db, 1, at(3));
      await tick.run(look(3), signal);
      expect(await listActiveAlerts(db)).toMatchObject([{ value: 1523, since: at(3) }]);
    }));

  test("are loaded anew when a new policy looks further back, or at something else", () =>
    withDatabase(async (db) => {
      policy = withRules(depthRule());
      const tick = tickOf(db);
      await insertSamples(db, [{ metric: "beat", labels: {}, at: at(-960), value: 7 }]);
      await depth(db, 1, at(0));
      await tick.run(look(0), signal);
      const most = { form: "agg", fn: "max", overMs: 86_400_000, fullWindow: false } as const;
      const rule = depthRule({ levels: [makeLevel({ value: 5 })] });
      policy = withRules({ ...rule, signal: { ...most, of: { metric: "beat", where: {} } } });
      await depth(db, 1, at(1));
      await tick.run(look(1), signal);
      expect(await listActiveAlerts(db)).toMatchObject([{ value: 7 }]);
    }));
});

test("a row is written when its memory changes; quiet ticks move only the clock, and a restart knows it", () =>
  withDatabase(async (db) => {
    policy = withRules(depthRule({ noData: { afterMs: 60_000, then: "breach" } }));
    const written = async () => {
      const { rows } = await db.query<{ version: string }>(
        "SELECT xmin::text AS version FROM control.alert_state",
      );
      return rows[0]!.version;
    };
    await live(db, [1, 1]);
    const before = await written();
    await live(db, [1, 1, 1, 1, 1, 1], 2);
    expect(await written()).toBe(before);
    await run(db, at(8, 3_000));
    expect(await listActiveAlerts(db)).toEqual([]);
    expect((await loadAlertStates(db, policy.alerts)).get("depth-high")).toMatchObject({
      all: { valueAt: at(8).getTime() },
    });
  }));

test("a replay of the stored samples finds to the last bit what production found", () =>
  withDatabase(async (db) => {
    const mean = { form: "agg", fn: "avg", overMs: 45_000, fullWindow: false } as const;
    const levels = [
      makeLevel({
        id: "W",
        value: 900,
        forMs: EVERY,
        recover: { op: "<", value: 700, forMs: EVERY },
      }),
      makeLevel({ id: "C", severity: "sev1", value: 1_400 }),
    ];
    const noData = { afterMs: 2 * EVERY, then: "ok" } as const;
    const signal = { ...mean, of: { metric: "depth", where: {} } };
    const rule = depthRule({ signal, levels, noData, by: ["queue"] });
    policy = withRules(rule);
    const tick = tickOf(db);
    const ticks = 60;
    for (let n = 0; n < ticks; n += 1) {
      const samples = ["index", "score"].flatMap((queue, i) => {
        // Two waves that are no round numbers, and a hole of a minute and a half in one of them.
        if (i === 1 && n > 30 && n < 37) return [];
        const value = 1_000 + 777.7 * Math.sin(n / (3 + i));
        return [{ metric: "depth", labels: { queue }, at: at(n), value }];
      });
      await insertSamples(db, samples, LEADER_SOURCE);
      await tick.run(look(n), new AbortController().signal);
    }
    const board = await loadBoard(db, { metrics: ["depth"], from: at(-1), to: at(ticks) });
    const [from, to] = [at(0).getTime(), at(ticks - 1).getTime()];
    const replayed = replayRule({ rule, metrics: policy.metrics, board, from, to });
    const shown = ({ instance, level, value }: Pick<Transition, "instance" | "level" | "value">) =>
      `${instance} ${level} ${value}`;
    const production = (await listAlertHistory(db, 200)).reverse();
    const found = production.map((one) => ({ ...one, level: one.level! }));
    const inOrder = (lines: string[]) => lines.sort();
    expect(found.length).toBeGreaterThan(10);
    expect(
      inOrder(found.map((one) => `${one.at.getTime()} ${one.transition} ${shown(one)}`)),
    ).toEqual(inOrder(replayed.transitions.map((one) => `${one.at} ${one.kind} ${shown(one)}`)));
  }));

test("one that slept through its lease stores nothing of what it remembers, and later begins with what others stored", () =>
  withDatabase(async (db) => {
    const { signal } = new AbortController();
    const [sleeper, other] = [tickOf(db), tickOf(db, { holder: "b" })];
    const expire = () => db.query("UPDATE control.lease SET expires_at = now()");
    await depth(db, 1523, at(0));
    await sleeper.run(look(0), signal);
    await expire();
    await depth(db, 1523, at(1));
    await other.run(look(1), signal);
    await depth(db, 1, at(2));
    await sleeper.run(look(2), signal);
    expect(await story(db)).toEqual(["pending", "fired"]);
    expect(await readLease(db, EVALUATOR_LEASE)).toMatchObject({ holder: "b" });
    await expire();
    await depth(db, 1523, at(3));
    await sleeper.run(look(3), signal);
    expect(await story(db)).toEqual(["pending", "fired"]);
    expect(await told(db)).toEqual([["trigger", "first-notification"]]);
  }));

test("who stops in order lets another process judge the next tick", () =>
  withDatabase(async (db) => {
    const first = tickOf(db);
    await depth(db, 1523, at(0));
    await first.run(look(0), new AbortController().signal);
    await first.leave();
    await depth(db, 1523, at(1));
    await run(db, look(1), { holder: "b" });
    expect(await story(db)).toEqual(["pending", "fired"]);
  }));

test("an evaluator that fails at every tick looks dead, though it holds its lease (AR-36)", () =>
  withDatabase(async (db) => {
    const failing = tickOf(db, { speak: () => Promise.reject(new Error("no words")) });
    for (const n of [0, 1]) {
      await depth(db, 1523, at(n));
      await expect(failing.run(look(n), new AbortController().signal)).rejects.toThrow("no words");
    }
    expect((await readSigns(db)).evaluatorMs).toBeNull();
  }));
