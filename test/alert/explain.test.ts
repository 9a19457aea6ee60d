/** The parts of an explanation that words and numbers are made of; the whole is asked over HTTP in test/web. */
import { describe, expect, test } from "vitest";
import { Board } from "../../src/alert/board.js";
import { compileRule } from "../../src/alert/compile.js";
import { mutingOf } from "../../src/alert/muting.js";
import { sampleFacts } from "../../src/alert/sample-facts.js";
import { firesText, noDataText, recoversText, signalText } from "../../src/alert/signal-text.js";
import type { Silence } from "../../src/alert/silence.js";
import type { Signal } from "../../src/policy/policy.js";
import { makeLevel, makePolicy, makeRule } from "../support/make-policy.js";

const of = { metric: "depth", where: {} };
const MINUTE = 60_000;

test.each<[Signal, string]>([
  [{ form: "last", of }, "the newest value of depth"],
  [
    {
      form: "agg",
      fn: "p95",
      of: { metric: "depth", where: { host: "a" } },
      overMs: MINUTE,
      fullWindow: false,
    },
    'the p95 of depth{host="a"} over 1m',
  ],
  [
    { form: "agg", fn: "avg", of, overMs: MINUTE, fullWindow: true },
    "the avg of depth over 1m, when the whole window has samples",
  ],
  [{ form: "rate", of, overMs: MINUTE }, "how much depth grows a second, over 1m"],
  [{ form: "increase", of, overMs: MINUTE }, "how much depth grew in 1m"],
  [
    { form: "ratio", num: of, all: { metric: "all", where: {} }, overMs: MINUTE, minAll: 20 },
    "depth as a share of all over 1m, when there were at least 20",
  ],
  [
    {
      form: "div",
      num: of,
      den: { metric: "all", where: {} },
      fn: "avg",
      overMs: MINUTE,
      fullWindow: false,
    },
    "the avg of depth by that of all over 1m",
  ],
  [{ form: "age", of }, "the seconds since depth"],
  [
    {
      form: "burn",
      bad: of,
      all: { metric: "all", where: {} },
      slo: 0.999,
      longMs: 60 * MINUTE,
      shortMs: 5 * MINUTE,
      minAll: 100,
    },
    "how many times too fast the error budget of 0.999 is spent, the smaller of 1h and 5m: depth of all, when there were at least 100",
  ],
])("%j in words", (signal, expected) => {
  expect(signalText(signal)).toBe(expected);
});

test("when a level fires and is over, and what no data means", () => {
  const level = makeLevel({ op: "<", value: 0.95, forMs: 5 * MINUTE });
  expect(firesText(level, "ratio")).toBe("< 0.95 for 5m");
  expect(firesText({ ...level, forMs: 0, mOf: [3, 5] }, "ratio")).toBe("< 0.95 in 3 of 5 ticks");
  expect(recoversText(level, "ratio")).toBeNull();
  const recover = { op: ">", value: 0.97, forMs: MINUTE } as const;
  expect(recoversText({ ...level, recover }, "ratio")).toBe("> 0.97 for 1m");
  expect(noDataText({ noData: null })).toContain("missing samples");
  expect(noDataText({ noData: { afterMs: MINUTE, then: "breach" } })).toContain("after 1m");
});

describe("the samples that a number came from", () => {
  const rule = makeRule({
    by: ["kind"],
    signal: { form: "agg", fn: "avg", of, overMs: 2 * MINUTE, fullWindow: false },
  });
  const compiled = compileRule(rule, {});
  const factsOf = (times: readonly number[], at: number) => {
    const board = new Board();
    for (const time of times) board.append("depth", { kind: "index", host: "a" }, time, time);
    board.append("depth", { kind: "score", host: "a" }, at, 1);
    return sampleFacts(compiled, board, "kind=index", at);
  };

  test("are those of its window and its instance, with the widest hole", () => {
    const at = 10 * MINUTE;
    const inside = [at - 90_000, at - 75_000, at - 15_000];
    expect(factsOf([at - compiled.spanMs!, ...inside, at + 1], at)).toEqual([
      {
        ...{ metric: "depth", labels: { kind: "index", host: "a" }, count: 3 },
        ...{ firstAt: new Date(inside[0]!), lastAt: new Date(inside[2]!), last: inside[2] },
        widestGapMs: 60_000,
      },
    ]);
  });

  test("the hole before the tick counts as well; none at all is said as none", () => {
    const at = 10 * MINUTE;
    expect(factsOf([at - 100_000, at - 90_000], at)[0]).toMatchObject({ widestGapMs: 90_000 });
    expect(factsOf([at + 1], at)[0]).toMatchObject({ count: 0, last: null, widestGapMs: null });
  });
});

test("what holds an alert back: each silence that matches, and the rule above it while that fires", () => {
  const child = makeRule({
    name: "child",
    by: ["host"],
    inhibitedBy: [{ rule: "up", equal: ["host"] }],
  });
  const policy = makePolicy({
    alerts: [child, makeRule({ name: "up", levels: [makeLevel({ id: "AR-01" })] })],
  });
  const silence = (id: string, name: string): Silence => ({
    ...{ id, source: "api", name: null, createdBy: "ann", comment: "x", silencesPages: false },
    ...{ startsAt: new Date(0), endsAt: new Date(1), updatedAt: new Date(0) },
    matchers: [{ name, value: "child", isRegex: false, isEqual: true }],
  });
  const alert = { rule: "child", labels: { host: "a" }, level: "AR-06" };
  const judge = (firing: Parameters<typeof mutingOf>[0]["firing"]) =>
    mutingOf({
      policy,
      silences: [silence("1", "rule"), silence("2", "alertname"), silence("3", "host")],
      firing,
    })(alert);
  const up = (host: string, level: string | null) => ({ rule: "up", labels: { host }, level });
  expect(judge([alert, up("a", "AR-01")])).toEqual({ silencedBy: ["1", "2"], inhibitedBy: ["up"] });
  expect(judge([alert, up("b", "AR-01")]).inhibitedBy).toEqual([]);
  expect(judge([alert, up("a", null)]).inhibitedBy).toEqual([]);
  const gone = mutingOf({ policy, silences: [silence("1", "rule")], firing: [] });
  expect(gone({ ...alert, level: "AR-99" })).toEqual({ silencedBy: [], inhibitedBy: [] });
});
