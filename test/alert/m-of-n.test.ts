/** Levels that ask for M of N ticks, in the evaluator: what the points of a window make of an alert. */
import { describe, expect, test } from "vitest";
import type { AlertLevel, AlertRule } from "../../src/policy/policy.js";
import { makeLevel, makeRule } from "../support/make-policy.js";
import { feed, SECOND } from "./replay.js";

const EVERY = 15 * SECOND;

type Then = NonNullable<AlertRule["noData"]>["then"];

/** `value > 10` in 2 of 3 ticks; missing ticks mean what `then` says at once. */
function rule(then: Then, level: Partial<AlertLevel> = {}, afterMs = 0): AlertRule {
  return makeRule({
    name: "depth-high",
    everyMs: EVERY,
    signal: { form: "last", of: { metric: "depth", where: {} } },
    levels: [makeLevel({ id: "AR-1", value: 10, mOf: [2, 3], ...level })],
    noData: { afterMs, then },
  });
}

const GOOD = 1;
const BAD = 11;
const repeat = (value: number | null, ticks: number) => Array<number | null>(ticks).fill(value);

describe("a level of 2 in 3 ticks", () => {
  test("fires with the second bad one, whether or not a good one lies between", () => {
    expect(feed(rule("ok"), [GOOD, GOOD, BAD, BAD]).story).toEqual(["pending@30", "fired@45"]);
    expect(feed(rule("ok"), [GOOD, GOOD, BAD, GOOD, BAD]).story).toEqual([
      "pending@30",
      "fired@60",
    ]);
  });

  test("stays quiet when they are further apart", () => {
    expect(feed(rule("ok"), [BAD, GOOD, GOOD, BAD, ...repeat(GOOD, 3)]).story).toEqual([
      "pending@0",
      "pending-ended@90",
    ]);
  });

  test("ends when the window has too few of them left", () => {
    expect(feed(rule("ok"), [BAD, BAD, GOOD, GOOD]).story).toEqual([
      "pending@0",
      "fired@15",
      "resolved@45",
    ]);
  });

  test("leaves over its recovery line, and after its time", () => {
    const slow = rule("ok", { recover: { op: "<", value: 5, forMs: 30 * SECOND } });
    expect(feed(slow, [BAD, BAD, 7, 7, 7, GOOD, GOOD, GOOD]).story).toEqual([
      "pending@0",
      "fired@15",
      "resolved@105",
    ]);
  });
});

describe("ticks without data", () => {
  test("keep what is under `hold`", () => {
    expect(feed(rule("hold"), [BAD, BAD, ...repeat(null, 50)]).story).toEqual([
      "pending@0",
      "fired@15",
    ]);
    expect(feed(rule("hold"), repeat(null, 50)).story).toEqual([]);
  });

  test("are good under `ok`", () => {
    const { story } = feed(rule("ok"), [GOOD, GOOD, GOOD, BAD, BAD, ...repeat(null, 4)]);
    // Five points are looked at: the third missing one pushes out the good, the fourth a bad one.
    expect(story).toEqual(["pending@45", "fired@60", "resolved@120"]);
  });

  test("are bad under `breach`, at once when nothing real is left to decide", () => {
    expect(feed(rule("breach"), [GOOD, GOOD, GOOD, ...repeat(null, 4)]).story).toEqual([
      "fired@90",
    ]);
  });

  test("are the alarm itself under `alert` when there are no others, and end with the first value", () => {
    const { story, transitions } = feed(rule("alert"), [GOOD, ...repeat(null, 5), GOOD]);
    expect(story).toEqual(["fired@75", "resolved@90"]);
    expect(transitions[0]).toMatchObject({ value: null });
  });

  test("after a single bad one are insufficient data: the alarm under `alert`, nothing before `after` or under `hold`", () => {
    const three = rule("alert", { mOf: [3, 3] });
    const values = [...repeat(null, 4), BAD, ...repeat(null, 3)];
    expect(feed(rule("hold", { mOf: [3, 3] }), values).story).toEqual(["pending@60"]);
    expect(feed(three, [GOOD, ...values]).story).toEqual(["pending@75", "fired@90"]);
    expect(feed({ ...three, noData: { afterMs: 75_000, then: "alert" } }, values).story).toEqual([
      "pending@60",
    ]);
  });

  test("before the first look are no data of the measured: nobody is paged by a new rule", () => {
    for (const then of ["breach", "alert"] as const) {
      expect(feed(rule(then), [GOOD, GOOD, GOOD]).story).toEqual([]);
      expect(feed(rule(then), [BAD]).story).toEqual(["pending@0"]);
    }
  });

  test("hold until `after` has passed", () => {
    expect(feed(rule("breach", {}, 60 * SECOND), [GOOD, ...repeat(null, 3)]).story).toEqual([]);
    expect(feed(rule("breach", {}, 60 * SECOND), [GOOD, ...repeat(null, 4)]).story).toEqual([
      "fired@60",
    ]);
  });
});

describe("a restart, an edit", () => {
  const stopped = feed(rule("breach"), [GOOD, GOOD, BAD]);

  test("our own down time is none of its points", () => {
    const { story } = feed(rule("breach"), [GOOD, BAD], { state: stopped.state, fromTick: 40 });
    expect(story).toEqual(["fired@615"]);
  });

  test("another comparison forgets the points, another line keeps them", () => {
    const edited = (level: Partial<AlertLevel>) =>
      feed(rule("breach", level), [BAD], { state: stopped.state, fromTick: 3 }).story;
    expect(edited({ value: 9 })).toEqual(["fired@45"]);
    expect(edited({ op: ">=" })).not.toEqual(["fired@45"]);
  });

  test("a version that knows no points finds a state it can read", () => {
    const { levels, rings } = stopped.state.all!;
    expect(Object.keys(levels["AR-1"]!).sort()).toEqual([
      "activeAt",
      "op",
      "phase",
      "recoveringSince",
    ]);
    expect(rings).toEqual({ "AR-1 >": "00X" });
  });
});
