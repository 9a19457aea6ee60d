/** Changed rules over made histories: exactly the firings of before and of after, what is said of them, and when nobody can tell. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Board } from "../../src/alert/board.js";
import { replayRule } from "../../src/alert/replay.js";
import type { AlertRule, PolicySet } from "../../src/policy/policy.js";
import { backtest, changedRules, neededHistory } from "../../src/review/backtest.js";
import { firingsOf } from "../../src/review/firing.js";
import { judgeImpact, type Verdict } from "../../src/review/impact.js";
import { impactLines, impactSection } from "../../src/review/impact-markdown.js";
import { wordsOf } from "../../src/review/said.js";
import { makeLevel, makeMetric, makePolicy, makeRule } from "../support/make-policy.js";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;
const FROM = Date.UTC(2026, 9, 1);
const TO = FROM + 7 * DAY;

const DEPTH = { form: "last", of: { metric: "depth", where: {} } } as const;
const high = (value: number, more: Partial<AlertRule> = {}) =>
  makeRule({
    ...{ name: "depth-high", everyMs: MINUTE, signal: DEPTH, groupWaitMs: 0, cooldownMs: 0 },
    levels: [
      makeLevel({
        ...{ id: "AR-1", severity: "sev1", op: ">", value, forMs: 2 * MINUTE },
        notify: ["oncall"],
      }),
    ],
    ...more,
  });

function policyOf(...alerts: AlertRule[]): PolicySet {
  const policy = makePolicy();
  const metrics = { depth: makeMetric("depth"), other: makeMetric("other") };
  return { ...policy, alerts, metrics };
}

/** A week at a minute: 0, and so high for so long at some times. Missing before `since`. */
function history(
  peaks: readonly (readonly [atHour: number, minutes: number, value: number])[],
  since = FROM - DAY,
) {
  const board = new Board();
  for (let at = since; at <= TO; at += MINUTE) {
    const peak = peaks.find(([hour, minutes]) => {
      const begin = FROM + hour * HOUR;
      return at >= begin && at < begin + minutes * MINUTE;
    });
    board.append("depth", {}, at, peak?.[2] ?? 0);
  }
  return board;
}

const run = (before: PolicySet, after: PolicySet, board: Board) =>
  backtest({ before, after, board, from: FROM, to: TO });

const report = (before: PolicySet, after: PolicySet, board: Board) =>
  judgeImpact({
    ...{ environment: "production", history: "db", unknown: null },
    ...{ from: new Date(FROM).toISOString(), to: new Date(TO).toISOString() },
    rules: run(before, after, board),
  });

describe("a changed threshold", () => {
  const board = history([
    [10, 30, 150],
    [50, 10, 600],
    [90, 1, 900],
    [100, 20, 150],
  ]);
  const [impact, ...more] = run(policyOf(high(100)), policyOf(high(500)), board);

  test("shows the exact firings of before and after, to the minute", () => {
    expect(more).toEqual([]);
    expect(impact).toMatchObject({ rule: "depth-high", change: "changed", coverage: 1 });
    // Two minutes of `for`; a minute is too short to fire at all.
    expect(impact!.before).toMatchObject({ firings: 3, minutesFiring: 28 + 8 + 18, cut: 0 });
    expect(impact!.after).toMatchObject({ firings: 1, minutesFiring: 8, flaps: 0 });
    expect(impact!.onlyAfter.shown).toEqual([]);
    expect(impact!.onlyBefore.shown.map(({ from, to }) => [from, to! - from])).toEqual([
      [FROM + 10 * HOUR + 2 * MINUTE, 28 * MINUTE],
      [FROM + 100 * HOUR + 2 * MINUTE, 18 * MINUTE],
    ]);
  });

  test("counts what is said of them: a page each, its end, and what repeats", () => {
    expect(impact!.before).toMatchObject({ pages: 3, messages: 6 });
    expect(impact!.after).toMatchObject({ pages: 1, messages: 2 });
    const long = history([[10, 24 * 60, 150]]);
    const repeating = high(100, { repeatMs: 4 * HOUR });
    const [often] = run(policyOf(high(101)), policyOf(repeating), long);
    // At once, then every four hours: 4, 8, 12, 16 and 20; and the end.
    expect(often!.after).toMatchObject({ firings: 1, pages: 6, messages: 7 });
  });

  test("is somebody's to look at, with the numbers in the comment and in the terminal", () => {
    const judged = report(policyOf(high(100)), policyOf(high(500)), board);
    expect(judged).toMatchObject({ verdict: "look", rules: [{ because: "fewer pages" }] });
    const text = impactSection(judged)!.lines.join("\n");
    expect(text).toContain(
      "| 👀 | depth-high | 3 → 1 | 54 → 8 | 3 → 1 | 6 → 2 | 0 | 100 % | fewer pages |",
    );
    expect(text).toContain("- no more: AR-1 all at 2026-10-01T10:02Z for 28m");
    expect(impactLines(judged)).toContain("  firings 3 → 1");
  });
});

describe("what there is to compare", () => {
  test("are rules that mean something else; words, runbooks and order are none", () => {
    const worded = {
      ...high(100),
      summary: "Other words.",
      levels: high(100).levels.map((level) => ({ ...level, runbook: "x" })),
    };
    expect(changedRules(policyOf(high(100)), policyOf(worded))).toEqual([]);
    const other = makeRule({ name: "other", signal: DEPTH });
    const pairs = changedRules(
      policyOf(high(100), other),
      policyOf(high(100), high(5, { name: "new" })),
    );
    expect(pairs.map(({ was, is }) => [was?.name, is?.name])).toEqual([
      [undefined, "new"],
      ["other", undefined],
    ]);
    const needed = neededHistory(policyOf(), policyOf(high(100)));
    expect(needed.metrics).toEqual(["depth"]);
    expect(needed.warmUpMs).toBeGreaterThan(2 * 2 * MINUTE);
  });

  test("begin warm: what fired before the time and what fires on after it is counted, and said to be cut", () => {
    const cut = history([
      [-2, 180, 150],
      [7 * 24 - 1, 100, 150],
    ]);
    const [impact] = run(policyOf(high(100)), policyOf(high(101)), cut);
    expect(impact!.before).toMatchObject({ firings: 2, cut: 2, minutesFiring: 60 + 58 });
    // Whoever was told before is told of the end, and of the last one its beginning.
    expect(impact!.before).toMatchObject({ pages: 1, messages: 2 });
    expect(impact!.onlyBefore.shown).toEqual([]);
  });
});

describe("who cannot tell says so", () => {
  test.each<[string, number, Verdict]>([
    ["a day of seven", TO - DAY, "cannot-tell"],
    ["all of them", FROM - DAY, "ok"],
  ])("with %s", (_what, since, verdict) => {
    const judged = report(policyOf(high(100)), policyOf(high(101)), history([], since));
    expect(judged.verdict).toBe(verdict);
  });

  test("of a metric that nobody has measured, whatever the other rules say", () => {
    const young = high(1, {
      name: "young",
      signal: { form: "last", of: { metric: "other", where: {} } },
    });
    const judged = report(policyOf(high(100)), policyOf(high(101), young), history([]));
    expect(judged.verdict).toBe("cannot-tell");
    const [, of] = judged.rules;
    expect(of).toMatchObject({ change: "new", coverage: 0, because: "too few samples of other" });
    expect(impactSection(judged)!.lines[0]).toContain("🔴");
  });

  test("when the samples could not be read at all", () => {
    const judged = judgeImpact({
      ...{ environment: "e", history: "db", unknown: "gone <b> @all", rules: [] },
      ...{ from: new Date(FROM).toISOString(), to: new Date(TO).toISOString() },
    });
    expect(judged.verdict).toBe("cannot-tell");
    const text = impactSection(judged)!.lines.join("\n");
    expect(text).toContain("gone &lt;b&gt; @\u200Ball");
  });

  test("and without a changed rule there is nothing to say", () => {
    const judged = report(policyOf(high(100)), policyOf(high(100)), history([]));
    expect(judged.verdict).toBe("ok");
    expect(impactSection(judged)).toBeNull();
  });
});

describe("many more pages", () => {
  const daily = history(Array.from({ length: 20 }, (_, i) => [8 * i, 10, 150] as const));

  test("block", () => {
    const judged = report(policyOf(high(500)), policyOf(high(100)), daily);
    expect(judged).toMatchObject({ verdict: "block", rules: [{ because: "0 → 20 pages a week" }] });
  });

  test("are none where a parent that burns says it all, or a silence of Git does", () => {
    const parent = high(100, { name: "parent" });
    const child = high(90, { inhibitedBy: [{ rule: "parent", equal: [] }] });
    const [inhibited] = run(policyOf(parent, high(500)), policyOf(parent, child), daily);
    expect(inhibited!.after).toMatchObject({ firings: 20, pages: 0, messages: 0 });
    // A parent that waits for a heartbeat which nobody has recorded is not known to be dead.
    const age = { form: "age", of: { metric: "other", where: {} } } as const;
    const unmeasured = high(1, { name: "parent", signal: age, noData: null });
    const [heard] = run(policyOf(unmeasured, high(500)), policyOf(unmeasured, child), daily);
    expect(heard!.after).toMatchObject({ firings: 20, pages: 20 });
    const silent = {
      ...policyOf(high(100)),
      silences: [
        {
          ...{ name: "quiet", owner: "ann", reason: "a move of the house", silencesPages: true },
          ...{ starts: new Date(FROM).toISOString(), ends: new Date(FROM + 3 * DAY).toISOString() },
          matchers: [{ name: "rule", value: "depth-high", isRegex: false, isEqual: true }],
        },
      ],
    };
    const [silenced] = run(policyOf(high(500)), silent, daily);
    expect(silenced!.after).toMatchObject({ firings: 20, pages: 11 });
  });
});

describe("what is said", () => {
  const minutes = fc.integer({ min: 0, max: 12 });

  test("is the same when only the ticks are looked at that can have news", () => {
    const rule = fc.record({
      wait: minutes,
      interval: fc.integer({ min: 1, max: 20 }),
      repeat: fc.integer({ min: 1, max: 60 }),
      cooldown: minutes,
      isGrouped: fc.boolean(),
    });
    const walk = fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.constantFrom(0, 15, 25)), {
      minLength: 4,
      maxLength: 14,
    });
    fc.assert(
      fc.property(
        rule,
        fc.array(walk, { minLength: 1, maxLength: 3 }),
        walk,
        (times, walks, parent) => {
          const { wait, interval, repeat, cooldown, isGrouped } = times;
          const levels = [10, 20].map((value, i) =>
            makeLevel({
              ...{ id: `L${i}`, severity: i ? "sev1" : "sev3", op: ">", value, forMs: 0 },
              notify: i ? ["oncall", "ops"] : ["ops"],
            }),
          );
          const child = high(0, {
            ...{ levels, by: ["kind"], groupBy: isGrouped ? [] : null },
            ...{ groupWaitMs: wait * MINUTE, groupIntervalMs: (wait + interval) * MINUTE },
            ...{ repeatMs: repeat * MINUTE, cooldownMs: cooldown * MINUTE },
            inhibitedBy: [{ rule: "parent", equal: [] }],
          });
          const burning = high(20, {
            name: "parent",
            signal: { form: "last", of: { metric: "other", where: {} } },
          });
          const board = new Board();
          const feed = (metric: string, labels: Record<string, string>, steps: typeof parent) => {
            let at = FROM;
            for (const [count, value] of steps)
              for (let i = 0; i < count; i += 1, at += MINUTE)
                board.append(metric, labels, at, value);
          };
          for (const [i, steps] of walks.entries()) feed("depth", { kind: `k${i}` }, steps);
          feed("other", {}, parent);
          const policy = policyOf(burning, child);
          const to = FROM + 2 * HOUR;
          const play = (one: AlertRule) =>
            replayRule({ rule: one, metrics: policy.metrics, board, from: FROM, to });
          const parents = new Map([["parent", firingsOf(play(burning).transitions, ["AR-1"])]]);
          const input = { rule: child, policy, replayed: play(child), parents, to };
          expect(wordsOf(input)).toEqual(wordsOf({ ...input, everyTick: true }));
        },
      ),
      { numRuns: 15, seed: 20_261_122 },
    );
  });
});
