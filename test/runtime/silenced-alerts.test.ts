/** Silences at work: the evaluator's own ticks under silences of the table, and what its receivers hear. */
import { afterEach, expect, test } from "vitest";
import type { NewSilence } from "../../src/alert/silence-wish.js";
import { HOUR_MS } from "../../src/base/duration.js";
import { silentLogger } from "../../src/base/log.js";
import { LEADER_SOURCE } from "../../src/runtime/evaluator-board.js";
import { createSpeak } from "../../src/runtime/speak.js";
import { createEvaluateAlertsTick } from "../../src/runtime/tick/evaluate-alerts.js";
import { listAlertHistory } from "../../src/store/alerts.js";
import type { Database } from "../../src/store/database.js";
import { listNotices } from "../../src/store/notices.js";
import { insertSamples } from "../../src/store/samples.js";
import { activeSilences, expireSilence, postSilence } from "../../src/store/silences.js";
import { withDatabase } from "../support/database.js";
import { lendToFile } from "../support/lend.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../support/make-policy.js";

const START = 1_700_000_040_000;
const EVERY = 15_000;
const at = (tick: number, plusMs = 0) => new Date(START + tick * EVERY + plusMs);

const rule = makeRule({
  ...{ name: "depth-high", everyMs: EVERY, groupWaitMs: 0, groupIntervalMs: 0, cooldownMs: 0 },
  signal: { form: "last", of: { metric: "depth", where: {} } },
  levels: [
    makeLevel({ id: "AR-06", value: 1000 }),
    makeLevel({ id: "AR-07", value: 5000, severity: "sev1" }),
  ],
});
const policy = makePolicy({ alerts: [rule], metrics: { depth: makeMetric("depth") } });

/** One sample and one tick for each value, by a new process each time: nothing hangs on memory. */
async function live(db: Database, from: number, values: readonly number[]): Promise<void> {
  for (const [i, value] of values.entries()) {
    const tick = createEvaluateAlertsTick({
      ...{ db, policy: () => policy, log: silentLogger, holder: "a", speak: createSpeak() },
    });
    await insertSamples(
      db,
      [{ metric: "depth", labels: {}, at: at(from + i), value }],
      LEADER_SOURCE,
    );
    await tick.run(at(from + i, 1_000), new AbortController().signal);
  }
}

async function silence(db: Database, overrides: Partial<NewSilence> = {}): Promise<string> {
  const wish: NewSilence = {
    ...{ id: null, startsAt: at(0), endsAt: new Date(START + HOUR_MS), silencesPages: false },
    matchers: [{ name: "alertname", value: "depth-high", isRegex: false, isEqual: true }],
    ...{ createdBy: "ann", comment: "the index moves" },
    ...overrides,
  };
  const context = { by: "api:ann", now: at(0), limits: policy.monitoring.silences, rules: [rule] };
  const posted = await db.transaction((tx) => postSilence(tx, wish, context));
  if (posted.outcome !== "done") throw new Error(JSON.stringify(posted));
  return posted.id;
}

const told = async (db: Database) =>
  (await listNotices(db, { limit: 200 })).reverse().map(({ action, reason }) => [action, reason]);
const story = async (db: Database) =>
  (await listAlertHistory(db, 200)).reverse().map(({ transition }) => transition);

const database = lendToFile<Database>(withDatabase);
afterEach(() =>
  database().query(
    `TRUNCATE control.alert_state, control.alert_event, control.alert_group, control.alert_clock, control.silence,
       control.sample_round, control.notice, control.lease, control.receiver_lane, public.jobs CASCADE`,
  ),
);
const within = (claim: (db: Database) => Promise<void>) => claim(database());

test("a silenced alert is judged and recorded, and not told; ended by a person it speaks at the next tick", () =>
  within(async (db) => {
    const id = await silence(db);
    await live(db, 0, [1, 1523, 1523]);
    expect(await story(db)).toEqual(["fired"]);
    expect(await told(db)).toEqual([]);
    expect(await activeSilences(db, at(2))).toMatchObject([{ matches: 1, matchedAt: at(1) }]);
    await db.transaction((tx) => expireSilence(tx, id, { by: "api:bob", now: at(2, 5_000) }));
    await live(db, 3, [1523, 1523]);
    expect(await told(db)).toEqual([["trigger", "silence-ended"]]);
  }));

test("one that ends by itself over a firing alert lets it speak, once", () =>
  within(async (db) => {
    await silence(db, { endsAt: at(3) });
    await live(db, 0, [1, 1523, 1523]);
    expect(await told(db)).toEqual([]);
    await live(db, 3, [1523, 1523, 1523]);
    expect(await told(db)).toEqual([["trigger", "silence-ended"]]);
  }));

test("what fired and was over within its silence is said to nobody", () =>
  within(async (db) => {
    await silence(db, { endsAt: at(3) });
    await live(db, 0, [1523, 1523, 1, 1, 1]);
    expect(await story(db)).toEqual(["fired", "resolved"]);
    expect(await told(db)).toEqual([]);
  }));

test("who was told before the silence hears that it is over, within it", () =>
  within(async (db) => {
    await live(db, 0, [1523]);
    await silence(db);
    await live(db, 1, [1523, 1]);
    expect(await told(db)).toEqual([
      ["trigger", "first-notification"],
      ["resolve", "resolved"],
    ]);
  }));

test("a page passes a silence that does not say so, and is held back by one that does", () =>
  within(async (db) => {
    await silence(db);
    await live(db, 0, [1523, 6000]);
    expect((await told(db)).map(([action]) => action)).toEqual(["trigger"]);
    await silence(db, { silencesPages: true });
    await live(db, 2, [1, 6000]);
    expect((await told(db)).map(([action]) => action)).toEqual(["trigger", "resolve"]);
  }));
