import { describe, expect, test } from "vitest";
import { endRemovedRule } from "../../src/alert/removed-rule.js";
import type { AlertLevel, AlertRule } from "../../src/policy/policy.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../support/make-policy.js";
import { type Before, listenTo } from "./listening.js";
import { at, MINUTE, SECOND, START } from "./replay.js";

const POLICY = makePolicy({
  metrics: { depth: makeMetric("depth") },
  runbooks: { "queue-depth": "built", "restart-stuck-workers": "planned" },
});

function makeRuleFor(overrides: Partial<AlertRule> = {}, level: Partial<AlertLevel> = {}) {
  return makeRule({
    name: "depth-high",
    everyMs: 15 * SECOND,
    signal: { form: "last", of: { metric: "depth", where: {} } },
    levels: [
      makeLevel({ id: "W", name: "Depth elevated", severity: "sev3", value: 10, notify: ["ops"] }),
      makeLevel({
        id: "C",
        name: "Depth high",
        severity: "sev1",
        value: 20,
        notify: ["oncall"],
        ...level,
      }),
    ],
    cooldownMs: 0,
    groupWaitMs: 0,
    groupIntervalMs: 0,
    repeatMs: 240 * MINUTE,
    ...overrides,
  });
}

/** One value a tick of 15 s. */
const listen = (rule: AlertRule, values: readonly (number | null)[], before: Before = {}) =>
  listenTo(rule, POLICY, { all: values }, before);

const repeat = (value: number, ticks: number) => Array<number>(ticks).fill(value);

describe("why we speak", () => {
  test("each change is told once, to those whom it concerns, and everyone told is told the end", () => {
    expect(listen(makeRuleFor(), [1, 11, 11, 21, 21, 15, 9, 9]).heard).toEqual([
      "15 trigger ops first-notification",
      "45 trigger oncall upgraded",
      "75 trigger ops downgraded",
      "75 resolve oncall downgraded",
      "90 resolve ops resolved",
    ]);
  });

  test("a receiver of both levels hears the downgrade and is not told that it is over", () => {
    const rule = makeRuleFor({}, { notify: ["oncall", "ops"] });
    expect(listen(rule, [21, 15, 9]).heard).toEqual([
      "0 trigger oncall first-notification",
      "0 trigger ops first-notification",
      "15 resolve oncall downgraded",
      "15 trigger ops downgraded",
      "30 resolve ops resolved",
    ]);
  });

  test("a lasting alert is repeated after the repeat interval, not before", () => {
    const { heard } = listen(makeRuleFor({ repeatMs: MINUTE }), repeat(11, 9));
    expect(heard).toEqual([
      "0 trigger ops first-notification",
      "60 trigger ops repeat-interval-elapsed",
      "120 trigger ops repeat-interval-elapsed",
    ]);
  });

  test("a quiet rule has nothing to tell", () => {
    expect(listen(makeRuleFor(), [1])).toMatchObject({ reasons: [], groups: [], heard: [] });
  });

  test("a level without receivers is recorded and told nobody", () => {
    const rule = makeRuleFor();
    const silent = { ...rule, levels: rule.levels.map((level) => ({ ...level, notify: [] })) };
    expect(listen(silent, [11, 9])).toMatchObject({
      groups: [],
      heard: [],
      state: { all: { told: null } },
    });
  });
});

describe("why we do not", () => {
  test("what fires and ends inside the group wait wakes nobody", () => {
    const rule = makeRuleFor({ groupWaitMs: 30 * SECOND });
    expect(listen(rule, [11, 11, 9, 9]).heard).toEqual([]);
    expect(listen(rule, [11, 11, 11]).reasons).toEqual([
      "group-wait",
      "group-wait",
      "first-notification",
    ]);
  });

  test("good news waits for the group interval, so flapping is one message; bad news does not", () => {
    const rule = makeRuleFor({ groupIntervalMs: MINUTE });
    expect(listen(rule, [11, 9, 11, 9, 9]).heard).toEqual([
      "0 trigger ops first-notification",
      "60 resolve ops resolved",
    ]);
    expect(listen(rule, [11, 21]).heard).toEqual([
      "0 trigger ops first-notification",
      "15 trigger oncall upgraded",
    ]);
  });

  describe("the cool-down after a told end", () => {
    const rule = makeRuleFor({ cooldownMs: MINUTE });

    test("withholds the same level until it has passed", () => {
      const { reasons, heard } = listen(rule, [11, 9, 11, 11, 11, 11]);
      expect(reasons.slice(2)).toEqual(["cooldown", "cooldown", "cooldown", "first-notification"]);
      expect(heard.at(-1)).toBe("75 trigger ops first-notification");
    });

    test("does not withhold a stricter level than was told", () => {
      expect(listen(rule, [11, 9, 21]).reasons.at(-1)).toBe("first-notification");
    });

    test("does not withhold what got worse since it fired again", () => {
      expect(listen(rule, [21, 9, 11, 21]).reasons.slice(2)).toEqual([
        "cooldown",
        "first-notification",
      ]);
    });

    test("withholds the strictest level of the alert before, although it ended as a milder one", () => {
      expect(listen(rule, [21, 15, 9, 21]).reasons.at(-1)).toBe("cooldown");
    });

    test("is limited to messages: the alert fires all the same", () => {
      expect(listen(rule, [11, 9, 11]).state.all?.level).toBe("W");
    });
  });
});

describe("edits under a firing alert", () => {
  test("the end is told under its true name", () => {
    const before = listen(makeRuleFor(), [11]);
    const rule = makeRuleFor({ combine: "max" });
    const after = listen(rule, [9], { state: before.state, fromTick: 1 });
    expect(after.heard).toEqual(["15 resolve ops rule-edited"]);
    expect(after.notices[0]?.message.title).toBe(
      `Ended, its rule was changed: SEV3 depth-high: ${rule.summary}`,
    );
  });

  test("an alert that fires on under the edited rule is not told twice", () => {
    const before = listen(makeRuleFor(), [11]);
    const rule = makeRuleFor({ combine: "max" });
    expect(listen(rule, [11], { state: before.state, fromTick: 1 }).heard).toEqual([]);
  });

  test("a removed rule tells its end to everyone who was told, and to nobody else", () => {
    const rule = makeRuleFor();
    const told = listen(rule, [11, 21]).state.all!;
    const removal = { name: rule.name, system: "algobrain", now: at(MINUTE) };
    const { notices, transitions } = endRemovedRule({ ...removal, state: { all: told } });
    expect(notices.map((n) => `${n.action} ${n.receiver} ${n.reason}`)).toEqual([
      "resolve ops rule-removed",
      "resolve oncall rule-removed",
    ]);
    expect(notices[0]?.dedupKey).toBe("algobrain/depth-high/all");
    expect(transitions).toMatchObject([{ kind: "ended-by-edit", level: "C" }]);
    const quiet = endRemovedRule({ ...removal, state: listen(rule, [1]).state });
    expect(quiet).toEqual({ notices: [], transitions: [] });
  });
});

describe("what is said", () => {
  test("a trigger says what, how bad, since when, and what to do first", () => {
    const rule = makeRuleFor({}, { runbook: "queue-depth", forMs: MINUTE });
    const [, notice] = listen(rule, repeat(21.123456, 5)).notices;
    expect(notice).toMatchObject({
      receiver: "oncall",
      dedupKey: "algobrain/depth-high/all",
      source: "algobrain/depth-high",
      severity: "sev1",
      message: {
        tone: "bad",
        title: `Worse: SEV1 depth-high: ${rule.summary}`,
        fields: [
          { label: "Value", value: "21.12" },
          { label: "Fires", value: "> 20 for 1m" },
          { label: "Since", value: new Date(START).toISOString() },
          { label: "First runbook", value: "queue-depth" },
        ],
      },
      details: { rule: "depth-high", level: "C", value: 21.123456, runbook: "queue-depth" },
    });
  });

  test("a planned runbook is shown as not there yet", () => {
    const rule = makeRuleFor({}, { runbook: "restart-stuck-workers" });
    const field = listen(rule, [21]).notices[0]?.message.fields?.at(-1);
    expect(field?.value).toBe("no runbook yet (restart-stuck-workers is planned)");
  });

  test("missing data is said, not hidden behind the last value", () => {
    const rule = makeRuleFor({ repeatMs: 30 * SECOND });
    const values = listen(rule, [11, null, null]).notices.map((n) => n.message.fields?.[0]?.value);
    expect(values).toEqual(["11", "11 (no data now)"]);
  });

  test("all notices of one alert have one key, also over levels and their end", () => {
    const keys = listen(makeRuleFor(), [11, 21, 15, 9]).notices.map(({ dedupKey }) => dedupKey);
    expect([...new Set(keys)]).toEqual(["algobrain/depth-high/all"]);
  });
});
