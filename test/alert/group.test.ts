/**
 * When a receiver hears of a group: the scenarios that are run beside Alertmanager (test/peers), on our side alone, and
 * what must hold whatever happens.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GroupState, GroupStep, Member } from "../../src/alert/group.js";
import { groupKeyOf } from "../../src/alert/group-key.js";
import { findInhibitor } from "../../src/alert/inhibit.js";
import { stepGroup } from "../../src/alert/step-group.js";
import { runOurs } from "../peers/alertmanager-ours.js";
import { readScenarios } from "../peers/alertmanager-scenario.js";
import { makeRule } from "../support/make-policy.js";

const scenarios = await readScenarios();

test.each(scenarios.map((one) => [one.name, one] as const))("%s", (_name, scenario) => {
  expect(runOurs(scenario).map(({ line }) => line)).toEqual(scenario.expect);
});

const LEVELS = ["warning", "critical"];
const TICK = 15_000;
const TIMERS = { waitMs: 30_000, intervalMs: 60_000, repeatMs: 300_000, sendResolved: true };

/** What an instance does at a tick. */
interface Moment {
  readonly level: "warning" | "critical" | null;
  readonly isSilenced: boolean;
}

const moment: fc.Arbitrary<Moment> = fc.record({
  level: fc.constantFrom(null, null, "warning" as const, "critical" as const),
  isSilenced: fc.boolean(),
});
const NAMES = ["a", "b", "c"];
/** Of each instance, tick by tick; after it all is quiet for ten minutes. */
const story = fc.array(fc.tuple(moment, moment, moment), { minLength: 1, maxLength: 60 });

interface Word {
  readonly at: number;
  readonly action: "trigger" | "resolve";
  readonly reason: string;
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
}

function play(moments: readonly (readonly Moment[])[]): {
  words: Word[];
  state: GroupState | null;
} {
  const quiet = Array.from({ length: 40 }, () =>
    NAMES.map((): Moment => ({ level: null, isSilenced: true })),
  );
  const words: Word[] = [];
  const began = new Map<string, number>();
  let state: GroupState | null = null;
  for (const [n, tick] of [...moments, ...quiet].entries()) {
    const members = tick.map(({ level, isSilenced }, i): Member => {
      const instance = NAMES[i]!;
      if (level === null) began.delete(instance);
      else if (!began.has(instance)) began.set(instance, n * TICK);
      return {
        ...{ instance, labels: {}, level, severity: level === null ? null : "sev3" },
        ...{ startsAt: began.get(instance) ?? 0, endedByEdit: false, coolingUntil: null },
        mutedBy: isSilenced && level !== null ? "silence" : null,
      };
    });
    const step = stepGroup(state, members, TIMERS, LEVELS, n * TICK);
    state = step.state && (JSON.parse(JSON.stringify(step.state)) as GroupState);
    if (!step.say) continue;
    const { action, reason, firing, resolved } = step.say;
    words.push({ at: n * TICK, action, reason, resolved, firing: firing.map((it) => it.instance) });
  }
  return { words, state };
}

describe("whatever happens", () => {
  const holds = (check: (words: readonly Word[], state: GroupState | null) => void) =>
    fc.assert(
      fc.property(story, (moments) => {
        const { words, state } = play(moments);
        check(words, state);
      }),
      { seed: 20_261_122, numRuns: 200 },
    );

  test("whoever was told of an alert is told its end, silenced or not, and nothing stays behind", () => {
    holds((words, state) => {
      const open = new Set<string>();
      for (const { firing, resolved } of words) {
        for (const one of firing) open.add(one);
        for (const one of resolved) open.delete(one);
      }
      expect([...open]).toEqual([]);
      expect(state).toBeNull();
    });
  });

  test("an end is told of what was told, and a resolve leaves nothing standing", () => {
    holds((words) => {
      const open = new Set<string>();
      for (const { action, firing, resolved } of words) {
        for (const one of resolved) expect(open.delete(one)).toBe(true);
        for (const one of firing) open.add(one);
        expect(open.size === 0).toBe(action === "resolve");
      }
    });
  });

  test("without news nobody hears anything before the repeat interval; only what is worse comes before the interval", () => {
    holds((words) => {
      for (const [i, { at, reason, firing }] of words.entries()) {
        const before = words[i - 1];
        if (!before) continue;
        if (reason === "repeat-interval-elapsed") {
          expect(at - before.at).toBeGreaterThanOrEqual(TIMERS.repeatMs);
          expect(new Set(firing)).toEqual(
            new Set(firing.filter((one) => before.firing.includes(one))),
          );
        }
        // A group that ended begins anew, with its own wait.
        if (at - before.at < TIMERS.intervalMs && before.action === "trigger")
          expect(reason).toBe("upgraded");
      }
    });
  });
});

test("a step without news answers the same state, so that no row is written", () => {
  const member: Member = {
    ...{ instance: "a", labels: {}, level: "warning", severity: "sev3", startsAt: 0 },
    ...{ mutedBy: null, endedByEdit: false, coolingUntil: null },
  };
  const first = stepGroup(null, [member], { ...TIMERS, waitMs: 0 }, LEVELS, 0).state;
  const settled = stepGroup(first, [member], { ...TIMERS, waitMs: 0 }, LEVELS, TICK).state;
  expect(stepGroup(settled, [member], TIMERS, LEVELS, 2 * TICK)).toEqual({
    state: settled,
    reason: "nothing-changed",
    say: null,
  });
  expect(stepGroup(settled, [member], TIMERS, LEVELS, 2 * TICK).state).toBe(settled);
});

test("the name of a group is the rule's and that of its labels", () => {
  const labels = { host: "x", kind: "a" };
  const keyOf = (groupBy: string[] | null) => groupKeyOf({ name: "slow", groupBy }, "i", labels);
  expect([keyOf(null), keyOf([]), keyOf(["host"])]).toEqual(["slow/i", "slow/all", "slow/host=x"]);
});

test("a parent inhibits by equal labels alone, and no rule inhibits that is not named", () => {
  const inhibitedBy = [{ rule: "down", equal: ["host"] }];
  const rules = [makeRule({ name: "slow", inhibitedBy }), makeRule({ name: "down" })];
  const target = { rule: "slow", labels: { host: "x" } };
  const by = (rule: string, host: string) =>
    findInhibitor(target, [{ rule, labels: { host } }], rules);
  expect([by("down", "x"), by("down", "y"), by("other", "x")]).toEqual(["down", null, null]);
  expect(findInhibitor({ rule: "down", labels: {} }, [target], rules)).toBeNull();
});

test("a later flush that falls where the first would have been is no first one: it waits its time", () => {
  const MINUTE = 60_000;
  const timers = { ...TIMERS, waitMs: 4 * MINUTE, intervalMs: 2 * MINUTE, repeatMs: 3 * MINUTE };
  const member: Member = {
    ...{ instance: "a", labels: {}, level: "warning", severity: "sev3", startsAt: 0 },
    ...{ endedByEdit: false, coolingUntil: null, mutedBy: null },
  };
  const said: number[] = [];
  let state: GroupState | null = null;
  for (let minute = 4; minute <= 12; minute += 1) {
    const step: GroupStep = stepGroup(state, [member], timers, LEVELS, minute * MINUTE);
    state = step.state;
    if (step.say) said.push(minute);
  }
  // Told at once, as it had burnt for the wait already; then at flushes alone: 6 is too soon, 8 is not 7.
  expect(said).toEqual([4, 8, 12]);
});
