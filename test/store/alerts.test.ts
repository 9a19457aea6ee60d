import { expect, test } from "vitest";
import { compileRule } from "../../src/alert/compile.js";
import { stepRule } from "../../src/alert/evaluate.js";
import type { RuleState, Transition } from "../../src/alert/state.js";
import {
  appendAlertEvents,
  listActiveAlerts,
  listAlertHistory,
  loadAlertStates,
  saveAlertStates,
} from "../../src/store/alerts.js";
import { withDatabase } from "../support/database.js";
import { makeLevel, makeRule } from "../support/make-policy.js";

const NOW = new Date(1_700_000_040_000);

/** A state as the evaluator makes it, one instance for each value; a value over 10 fires, over 5 is pending. */
function stateOf(values: Record<string, number>): RuleState {
  const rule = makeRule({
    by: ["queue"],
    levels: [
      makeLevel({ id: "W", value: 5, forMs: 60_000 }),
      makeLevel({ id: "C", severity: "sev1", value: 10 }),
    ],
  });
  const readings = Object.entries(values).map(([queue, value]) => ({
    instance: `queue=${queue}`,
    labels: { queue },
    value,
  }));
  return stepRule({ rule: compileRule(rule, {}), state: {}, readings, now: NOW }).state;
}

const CLOCK = [{ everyMs: 15_000, tickAt: NOW }];
const RULES = ["a", "b"].map((name) => ({ name, everyMs: 15_000 }));

const rowsOf = (rule: string, state: RuleState) =>
  Object.entries(state).map(([instance, one]) => ({ rule, instance, state: one }));

test("what is saved is what is loaded", () =>
  withDatabase(async (db) => {
    const [a, b] = [stateOf({ index: 11, score: 1 }), stateOf({ index: 6 })];
    const upsert = [...rowsOf("b", b), ...rowsOf("a", a)];
    await saveAlertStates(db, { upsert, remove: [] }, CLOCK);
    expect(await loadAlertStates(db, RULES)).toEqual(new Map(Object.entries({ a, b })));
  }));

test("only what is named is written or forgotten", () =>
  withDatabase(async (db) => {
    const before = rowsOf("a", stateOf({ index: 1, gone: 1, quiet: 1 }));
    await saveAlertStates(db, { upsert: before, remove: [] }, CLOCK);
    const changed = rowsOf("a", stateOf({ index: 11 }));
    const remove = [{ rule: "a", instance: "queue=gone" }];
    await saveAlertStates(db, { upsert: changed, remove }, CLOCK);
    const { rows } = await db.query(
      "SELECT instance, state->>'level' AS level FROM control.alert_state ORDER BY instance",
    );
    expect(rows).toEqual([
      { instance: "queue=index", level: "C" },
      { instance: "queue=quiet", level: null },
    ]);
  }));

test("a quiet row is as fresh as the clock of its rule's interval; a row of a rule that nobody names is left as it is", () =>
  withDatabase(async (db) => {
    const upsert = [...rowsOf("a", stateOf({ index: 1 })), ...rowsOf("c", stateOf({ index: 1 }))];
    await saveAlertStates(db, { upsert, remove: [] }, CLOCK);
    const later = new Date(NOW.getTime() + 45_000);
    const minute = { everyMs: 60_000, tickAt: new Date(NOW.getTime() + 60_000) };
    await saveAlertStates(db, { upsert: [], remove: [] }, [
      { everyMs: 15_000, tickAt: later },
      minute,
    ]);
    const loaded = await loadAlertStates(db, RULES);
    const at = later.getTime();
    expect(loaded.get("a")).toMatchObject({ "queue=index": { tickAt: at, valueAt: at } });
    expect(loaded.get("c")).toMatchObject({ "queue=index": { tickAt: NOW.getTime() } });
  }));

test("a storm of several thousand rows is written whole, in pages", () =>
  withDatabase(async (db) => {
    const values = Object.fromEntries(Array.from({ length: 2_500 }, (_, n) => [`q${n}`, 11]));
    const upsert = rowsOf("a", stateOf(values));
    await saveAlertStates(db, { upsert, remove: [] }, CLOCK);
    expect(Object.keys((await loadAlertStates(db, RULES)).get("a")!)).toHaveLength(2_500);
    await saveAlertStates(db, { upsert: [], remove: upsert.slice(1) }, CLOCK);
    expect(Object.keys((await loadAlertStates(db, RULES)).get("a")!)).toHaveLength(1);
  }));

test("active alerts are those that fire, then those that are pending; quiet ones are not listed", () =>
  withDatabase(async (db) => {
    const upsert = rowsOf("a", stateOf({ a: 6, b: 11, c: 1 }));
    await saveAlertStates(db, { upsert, remove: [] }, CLOCK);
    expect(await listActiveAlerts(db)).toEqual([
      {
        rule: "a",
        instance: "queue=b",
        labels: { queue: "b" },
        phase: "firing",
        level: "C",
        severity: "sev1",
        value: 11,
        since: NOW,
        toldAt: null,
      },
      {
        rule: "a",
        instance: "queue=a",
        labels: { queue: "a" },
        phase: "pending",
        level: null,
        severity: null,
        value: 6,
        since: NOW,
        toldAt: null,
      },
    ]);
  }));

test("history is newest first and never more than 200", () =>
  withDatabase(async (db) => {
    const event = (n: number): Transition => ({
      rule: "a",
      instance: "all",
      labels: {},
      kind: n % 2 === 0 ? "fired" : "resolved",
      level: "C",
      severity: "sev1",
      value: n === 0 ? null : n,
      at: NOW.getTime() + n,
    });
    await appendAlertEvents(db, []);
    await appendAlertEvents(
      db,
      Array.from({ length: 250 }, (_, n) => event(n)),
    );
    const history = await listAlertHistory(db, 1_000);
    expect(history).toHaveLength(200);
    expect(history[0]).toEqual({
      id: expect.any(Number),
      rule: "a",
      instance: "all",
      labels: {},
      transition: "resolved",
      level: "C",
      severity: "sev1",
      value: 249,
      at: new Date(NOW.getTime() + 249),
    });
    expect(await listAlertHistory(db, 3)).toHaveLength(3);
  }));
