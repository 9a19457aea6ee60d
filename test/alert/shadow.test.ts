import { describe, expect, it } from "vitest";
import { boardOf } from "../../src/alert/board.js";
import type { Series } from "../../src/alert/series.js";
import { shadowEvaluate } from "../../src/alert/shadow.js";
import type { RuleState } from "../../src/alert/state.js";
import type { AlertRule } from "../../src/policy/policy.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../support/make-policy.js";

const NOW = new Date("2026-11-22T05:00:00Z");
const METRICS = {
  depth: makeMetric("depth", { labels: ["queue"] }),
  beat: makeMetric("beat", { unit: "timestamp" }),
};

function policyOf(...alerts: AlertRule[]) {
  const policy = makePolicy({ metrics: METRICS, alerts });
  const receivers = {
    ops: {
      name: "ops",
      kind: "slack",
      channel: "#ops",
      perMinuteMax: 20,
      triesMax: null,
      sendResolved: true,
    },
    pagerduty: {
      name: "pagerduty",
      kind: "pagerduty",
      perMinuteMax: 20,
      triesMax: null,
      sendResolved: true,
    },
  } as const;
  return { ...policy, routes: { ...policy.routes, receivers } };
}

function depthRule(value: number, overrides: Partial<AlertRule> = {}): AlertRule {
  return makeRule({
    name: "depth-high",
    signal: { form: "last", of: { metric: "depth", where: {} } },
    by: ["queue"],
    levels: [makeLevel({ value, forMs: 600_000 })],
    ...overrides,
  });
}

const depth = (queue: string, value: number): Series => ({
  metric: "depth",
  labels: { queue },
  points: [{ at: NOW.getTime() - 5_000, value }],
});

function shadow(
  before: AlertRule[],
  after: AlertRule[],
  rest: { states?: Map<string, RuleState> } = {},
) {
  return shadowEvaluate({
    ...{ before: policyOf(...before), after: policyOf(...after), now: NOW },
    states: rest.states ?? new Map(),
    board: boardOf([
      ...[depth("index", 40), depth("score", 4)],
      { metric: "beat", labels: {}, points: [{ at: 0, value: NOW.getTime() / 1_000 - 50 }] },
    ]),
  });
}

describe("shadowEvaluate", () => {
  it("finds what would fire and does not now, by instance, whatever its for", () => {
    expect(shadow([depthRule(100)], [depthRule(10)])).toEqual([
      { level: "AR-06", rule: "depth-high", instance: "queue=index", pages: false },
    ]);
    expect(shadow([depthRule(100)], [depthRule(0)])).toHaveLength(2);
  });

  it("finds nothing in what fires already, also when it was edited", () => {
    expect(shadow([depthRule(10)], [depthRule(20)])).toEqual([]);
    expect(shadow([depthRule(10)], [depthRule(10)])).toEqual([]);
  });

  it("finds what only spoke and would page", () => {
    const paging = depthRule(10, {
      levels: [makeLevel({ value: 10, notify: ["ops", "pagerduty"] })],
    });
    expect(shadow([depthRule(10)], [paging])).toMatchObject([{ pages: true }]);
    expect(shadow([paging], [depthRule(10)])).toEqual([]);
  });

  it("finds a rule that is new, and the age of what is silent", () => {
    const silent = makeRule({
      ...{ name: "silent", noData: null, by: [] },
      signal: { form: "age", of: { metric: "beat", where: {} } },
      levels: [makeLevel({ id: "AR-05", value: 30 })],
    });
    expect(shadow([], [silent])).toMatchObject([{ level: "AR-05", instance: "all" }]);
    expect(shadow([], [{ ...silent, levels: [makeLevel({ id: "AR-05", value: 60 })] }])).toEqual(
      [],
    );
  });

  it("passes over rules on metrics that nobody emits yet", () => {
    expect(shadow([], [depthRule(1, { waitsFor: ["depth"] })])).toEqual([]);
  });
});
