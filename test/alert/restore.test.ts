/** A row is written when its memory changes; with the clock it says what the evaluator knew at its last tick. */
import { describe, expect, test } from "vitest";
import { compileRule } from "../../src/alert/compile.js";
import { stepRule } from "../../src/alert/evaluate.js";
import { restoreState } from "../../src/alert/restore.js";
import type { InstanceState, RuleState } from "../../src/alert/state.js";
import type { AlertRule } from "../../src/policy/policy.js";
import { makeLevel, makeRule } from "../support/make-policy.js";
import { at, SECOND } from "./replay.js";

const EVERY = 15 * SECOND;

function rule(overrides: Partial<AlertRule> = {}): AlertRule {
  return makeRule({
    everyMs: EVERY,
    signal: { form: "last", of: { metric: "depth", where: {} } },
    levels: [makeLevel({ id: "AR-1", value: 10, forMs: 300 * SECOND })],
    noData: { afterMs: 60 * SECOND, then: "breach" },
    ...overrides,
  });
}

/** Ticks with given values, the state in memory; and the rows as they were written, with how often. */
function judge(judged: AlertRule, values: readonly (number | null)[]) {
  const compiled = compileRule(judged, {});
  let memory: RuleState = {};
  const rows: Record<string, InstanceState> = {};
  let writes = 0;
  for (const [i, value] of values.entries()) {
    const readings = [{ instance: "all", labels: {}, value }];
    const step = stepRule({ rule: compiled, state: memory, readings, now: at(i * EVERY) });
    memory = step.state;
    writes += step.changed.length;
    for (const key of step.changed) rows[key] = memory[key]!;
  }
  const tickAt = at((values.length - 1) * EVERY).getTime();
  return { memory, writes, restored: restoreState(JSON.parse(JSON.stringify(rows)), tickAt), rows };
}

const repeat = (value: number | null, ticks: number) => Array<number | null>(ticks).fill(value);

describe("a row and the clock", () => {
  test("of ten quiet minutes are one write, and still know when there was data", () => {
    const { memory, restored, writes } = judge(rule(), repeat(1, 40));
    expect(writes).toBe(1);
    expect(restored).toEqual(memory);
  });

  test("of an active one are a write a minute, so that a reader sees today's value", () => {
    expect(judge(rule(), repeat(11, 40)).writes).toBe(10);
  });

  // Each ends at another tick, so that some end far from a write.
  test.each([6, 7, 8, 9, 10, 11, 12])(
    "know how long clocks stood still, and that they went on again (%d ticks without data)",
    (ticks) => {
      const { memory, restored } = judge(rule(), [...repeat(11, 3), ...repeat(null, ticks)]);
      expect(restored).toEqual(memory);
    },
  );

  test.each(["hold", "ok", "breach", "alert"] as const)("know silence under %s", (then) => {
    const patient = rule({ noData: { afterMs: 60 * SECOND, then } });
    for (const ticks of [1, 2, 3, 4, 5, 6, 20]) {
      const values = [...repeat(1, 5), ...repeat(null, ticks)];
      const { memory, restored } = judge(patient, values);
      expect(restored).toEqual(memory);
    }
  });
});

describe("rows of the version before", () => {
  const { restored } = judge(rule(), repeat(1, 5));

  test("know no clock: they were written at each tick", () => {
    const { seen: _, held: __, ...old } = restored.all!;
    expect(restoreState({ all: old }, old.tickAt + 900_000)).toEqual({ all: old });
    expect(restoreState({ all: old }, null)).toEqual({ all: old });
  });

  test("that it wrote over ours carry our marks, which say nothing any more", () => {
    const later = { ...restored.all!, tickAt: restored.all!.tickAt + 900_000 };
    const { all } = restoreState({ all: later }, restored.all!.tickAt);
    expect(all).toMatchObject({ tickAt: later.tickAt, valueAt: later.valueAt });
    expect([all!.seen, all!.held]).toEqual([undefined, undefined]);
  });
});
