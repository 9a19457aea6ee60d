/** Levels, receivers, groups, silences and edits together: whoever is told of something is told its end, and no memory is left. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AlertRule } from "../../src/policy/policy.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../support/make-policy.js";
import { type Before, listenTo } from "./listening.js";
import { MINUTE, SECOND } from "./replay.js";

const POLICY = makePolicy({ metrics: { depth: makeMetric("depth") } });
const INSTANCES = ["a", "b", "c"];
const QUIET_TICKS = 40;

const receivers = fc.subarray(["ops", "oncall", "mail"]);
const rules: fc.Arbitrary<AlertRule> = fc
  .record({
    notify: fc.tuple(receivers, receivers),
    groupBy: fc.constantFrom(null, [], ["kind"]),
    waitMs: fc.constantFrom(0, 30 * SECOND),
    intervalMs: fc.constantFrom(0, MINUTE),
    repeatMs: fc.constantFrom(2 * MINUTE, 240 * MINUTE),
    cooldownMs: fc.constantFrom(0, 2 * MINUTE),
  })
  .map(({ notify, waitMs, intervalMs, ...rest }) =>
    makeRule({
      ...{ name: "depth-high", everyMs: 15 * SECOND, by: ["kind"], ...rest },
      ...{ groupWaitMs: waitMs, groupIntervalMs: intervalMs },
      signal: { form: "last", of: { metric: "depth", where: {} } },
      levels: [
        makeLevel({ id: "W", severity: "sev3", value: 10, notify: notify[0] }),
        makeLevel({ id: "C", severity: "sev1", value: 20, notify: notify[1] }),
      ],
    }),
  );
const values = fc.array(fc.constantFrom(1, 1, 11, 21, null), { minLength: 1, maxLength: 25 });
const silenced = fc.array(fc.boolean(), { minLength: 25, maxLength: 25 });

/** The same policy for some ticks, or another one from the middle on. */
const story = fc.record({
  rule: rules,
  edited: fc.option(rules),
  values: fc.tuple(values, values, values),
  silenced,
});

test("whatever the rule, its edits and the silences: the end is told to everyone who was told, once", () => {
  fc.assert(
    fc.property(story, ({ rule, edited, values: given, silenced: silences }) => {
      const byInstance = (all: readonly (readonly (number | null)[])[]) =>
        Object.fromEntries(INSTANCES.map((name, i) => [name, all[i]!]));
      const mute: Before["mute"] = (tick) => () => (silences[tick] ? "silence" : null);
      const first = listenTo(rule, POLICY, byInstance(given), { mute });
      const fromTick = Math.max(...given.map(({ length }) => length));
      const quiet = INSTANCES.map(() => Array<number>(QUIET_TICKS).fill(1));
      const { state, groups } = first;
      const last = listenTo(edited ?? rule, POLICY, byInstance(quiet), { state, groups, fromTick });
      expect(last.groups).toEqual([]);
      expect(Object.values(last.state).map(({ told }) => told)).toEqual([null, null, null]);
      const open = new Map<string, boolean>();
      for (const { receiver, dedupKey, action } of [...first.notices, ...last.notices]) {
        const name = `${receiver} ${dedupKey}`;
        // An end is told of what is open there.
        if (action === "resolve") expect(open.get(name)).toBe(true);
        open.set(name, action === "trigger");
      }
      expect([...open].filter(([, isOpen]) => isOpen)).toEqual([]);
    }),
    { seed: 20_261_122, numRuns: 120 },
  );
});
