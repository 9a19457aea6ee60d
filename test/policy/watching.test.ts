/** What rules, receivers and silences mean when they are written in the new ways, every default filled. */
import { describe, expect, it } from "vitest";
import { loadPolicySet } from "../../src/policy/bundle.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { printFile } from "../../src/policy/print.js";
import { withEdit, withFile } from "./shipped.js";

const SYSTEM = "policies/algobrain";

function load(files: Parameters<typeof loadPolicySet>[0]): PolicySet {
  const checked = loadPolicySet(files, "local");
  if (!checked.ok) throw new Error(checked.problems.map(({ message }) => message).join("; "));
  return checked.value;
}

const LEVEL = { id: "AR-990", severity: "sev3", op: ">", value: 1, notify: ["ops"] };
const COUNTER = { metric: "algobrain.jobs.started_total" };
const RULE = {
  summary: "Made up.",
  signal: { increase: { ...COUNTER, over: "5m" } },
  by: ["worker_type"],
  levels: { high: { ...LEVEL, for: "1m" } },
};

function ruleOf(change: object) {
  const text = printFile({ "made-up": { ...RULE, ...change } });
  const { alerts } = load(withFile(`${SYSTEM}/alerts/made-up.yaml`, text));
  return alerts.find(({ name }) => name === "made-up")!;
}

describe("a rule", () => {
  it("counts ticks instead of time", () => {
    const [level] = ruleOf({ levels: { high: { ...LEVEL, mOf: [3, 5] } } }).levels;
    expect(level).toMatchObject({ mOf: [3, 5], forMs: 0, recover: null });
    expect(ruleOf({}).levels[0]).toMatchObject({ mOf: null, forMs: 60_000 });
  });

  it("measures how fast the budget burns, and waits for what nobody emits", () => {
    const burn = { bad: { metric: "algobrain.jobs.failed_total" }, all: COUNTER, slo: 0.999 };
    const signal = { burn: { ...burn, long: "1h", short: "5m", minAll: 100 } };
    const rule = ruleOf({ signal });
    expect(rule.signal).toEqual({
      ...{ form: "burn", slo: 0.999, longMs: 3_600_000, shortMs: 300_000, minAll: 100 },
      bad: { metric: "algobrain.jobs.failed_total", where: {} },
      all: { metric: "algobrain.jobs.started_total", where: {} },
    });
    expect(rule.waitsFor).toBeUndefined();
  });

  it.each<[string, object, readonly string[] | null]>([
    ["each instance by itself when nothing is said", {}, null],
    ["each by itself when all labels are", { group: { by: ["worker_type"] } }, null],
    ["all together", { group: { by: [] } }, []],
    ["one, which has no labels", { by: [], combine: "sum", group: { by: [] } }, null],
  ])("tells %s", (_, change, expected) => {
    expect(ruleOf(change).groupBy).toEqual(expected);
  });

  it("is held back by others, whatever their labels or by equal ones", () => {
    const inhibitedBy = [
      { rule: "service-down" },
      { rule: "worker-type-error-rate", equal: ["worker_type"] },
    ];
    expect(ruleOf({ inhibitedBy }).inhibitedBy).toEqual([
      { rule: "service-down", equal: [] },
      inhibitedBy[1],
    ]);
    expect(ruleOf({}).inhibitedBy).toEqual([]);
  });
});

describe("a receiver", () => {
  it.each<[string, object]>([
    ["kind: slack\n    channel: '#a'", { channel: "#a", perMinuteMax: 20, triesMax: null }],
    ["kind: pagerduty", { perMinuteMax: 20, triesMax: null, sendResolved: true }],
    // AM-cfg-05.
    ["kind: webhook\n    url: https://a.example/", { perMinuteMax: 12, triesMax: 3 }],
    ["kind: email\n    to: [a@b.example]", { to: ["a@b.example"], perMinuteMax: 20 }],
    [
      "kind: pagerduty\n    triesMax: 5\n    sendResolved: false",
      { triesMax: 5, sendResolved: false },
    ],
  ])("%s", (text, expected) => {
    const { files } = withEdit(
      "policies/routes.yaml",
      "receivers:",
      `receivers:\n  it:\n    ${text}`,
    );
    expect(load(files).routes.receivers.it).toMatchObject({ name: "it", ...expected });
  });
});

it("a silence is read whole: moments in UTC, matchers in their parts", () => {
  const quiet = {
    ...{ starts: "2026-12-01T02:00Z", ends: "2026-12-01T04:00:30Z", owner: "example-operator" },
    ...{ reason: "The index is moved.", matchers: ["rule=queue-depth-high", 'host!~"a|b"'] },
  };
  const { silences } = load(withFile(`${SYSTEM}/silences.yaml`, printFile({ quiet })));
  expect(silences).toEqual([
    {
      ...{ name: "quiet", owner: "example-operator", reason: "The index is moved." },
      starts: "2026-12-01T02:00:00.000Z",
      ends: "2026-12-01T04:00:30.000Z",
      matchers: [
        { name: "rule", value: "queue-depth-high", isRegex: false, isEqual: true },
        { name: "host", value: "a|b", isRegex: true, isEqual: false },
      ],
      silencesPages: false,
    },
  ]);
});
