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

test("what is saved is what is loaded", () =>
  withDatabase(async (db) => {
    const states = new Map([
      ["a", stateOf({ index: 11, score: 1 })],
      ["b", stateOf({ index: 6 })],
    ]);
    await saveAlertStates(db, states, NOW);
    expect(await loadAlertStates(db)).toEqual(states);
  }));

test("an instance that is missing from its rule's state is forgotten; other rules are left alone", () =>
  withDatabase(async (db) => {
    await saveAlertStates(db, new Map([["a", stateOf({ index: 1, gone: 1 })]]), NOW);
    await saveAlertStates(db, new Map([["b", stateOf({ index: 1 })]]), NOW);
    await saveAlertStates(db, new Map([["a", stateOf({ index: 1 })]]), NOW);
    const loaded = await loadAlertStates(db);
    expect([...loaded].map(([rule, state]) => [rule, Object.keys(state)])).toEqual([
      ["a", ["queue=index"]],
      ["b", ["queue=index"]],
    ]);
    await saveAlertStates(db, new Map([["a", {}]]), NOW);
    expect([...(await loadAlertStates(db)).keys()]).toEqual(["b"]);
  }));

test("active alerts are those that fire, then those that are pending; quiet ones are not listed", () =>
  withDatabase(async (db) => {
    await saveAlertStates(db, new Map([["a", stateOf({ a: 6, b: 11, c: 1 })]]), NOW);
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
      transition: "resolved",
      level: "C",
      severity: "sev1",
      value: 249,
      at: new Date(NOW.getTime() + 249),
    });
    expect(await listAlertHistory(db, 3)).toHaveLength(3);
  }));
