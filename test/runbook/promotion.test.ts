/** What earns trust and what costs it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PROMOTION_LEVELS, type PromotionLevel } from "../../src/policy/automation.js";
import { AUTOMATION_DEFAULTS } from "../../src/policy/defaults.js";
import { higherOf, judgePromotion, type TrackRecord } from "../../src/runbook/promotion.js";

const RULES = AUTOMATION_DEFAULTS.promotion;
const NONE: TrackRecord = {
  ...{ drills: 0, verified: 0, days: 0, failed: 0, indeterminate: 0, lastFailures: 0 },
};
const judge = (record: Partial<TrackRecord>, before: PromotionLevel = "manual") =>
  judgePromotion({ ...NONE, ...record }, RULES, before);

describe("trust", () => {
  test.each<[string, Partial<TrackRecord>, PromotionLevel, PromotionLevel]>([
    ["is not there at first", {}, "manual", "manual"],
    [
      "to ask is earned by two drills and three runs",
      { drills: 2, verified: 3 },
      "manual",
      "approve",
    ],
    ["is not earned without drills", { verified: 50, days: 50 }, "manual", "manual"],
    ["is not earned by drills alone", { drills: 50 }, "manual", "manual"],
    [
      "to act alone needs ten runs on three days",
      { drills: 3, verified: 10, days: 3 },
      "approve",
      "auto",
    ],
    ["is not earned in one afternoon", { drills: 3, verified: 99, days: 1 }, "approve", "approve"],
    ["that is granted stays without a record", {}, "auto", "auto"],
    [
      "is one level less after a failure",
      { drills: 9, verified: 99, days: 9, lastFailures: 1 },
      "auto",
      "approve",
    ],
    ["that is gone cannot become less", { lastFailures: 5 }, "manual", "manual"],
    [
      "is not earned while the last run failed",
      { drills: 3, verified: 10, days: 3, lastFailures: 1 },
      "manual",
      "manual",
    ],
  ])("%s", (_claim, record, before, level) => {
    expect(judge(record, before).level).toBe(level);
  });

  test("says what it rests on, and what the next level needs", () => {
    expect(judge({ drills: 2, verified: 4, days: 2 }, "approve")).toEqual({
      ...{ level: "approve", change: null },
      reason: "4 verified runs on 2 days, 2 drills",
      missing: "auto needs 1 more drill, 6 more verified runs, 1 more day with one",
    });
    expect(judge({ lastFailures: 1, verified: 12, drills: 3, days: 4 }, "auto")).toEqual({
      ...{ level: "approve", change: "lost" },
      reason: "lost by 1 failure in a row",
      missing: "auto needs 3 more drills, 10 more verified runs, 3 more days with one",
    });
  });

  test("is never more than one level away, and never more after a failure", () => {
    const count = fc.nat({ max: 15 });
    const record = fc.record({
      ...{ drills: count, verified: count, days: count, failed: count, indeterminate: count },
      lastFailures: fc.nat({ max: 2 }),
    });
    fc.assert(
      fc.property(record, fc.constantFrom(...PROMOTION_LEVELS), (made, before) => {
        const { level, change } = judgePromotion(made, RULES, before);
        if (made.lastFailures > 0) expect(higherOf(before, level)).toBe(before);
        else expect(higherOf(before, level)).toBe(level);
        expect(change === null).toBe(level === before);
      }),
    );
  });
});
