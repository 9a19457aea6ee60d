import { expect, test } from "vitest";
import { type AutomationHistory, judgeAutomation } from "../../src/runbook/guard.js";
import { makeGuard } from "../support/make-policy.js";

const NOW = new Date("2026-01-01T12:00:00Z");
const ago = (ms: number) => new Date(NOW.getTime() - ms);
const MINUTE = 60_000;
const automation = {
  name: "backlog",
  runbook: "respond-queue-backlog",
  guard: makeGuard({ cooldownMs: 15 * MINUTE, perHourMax: 3 }),
};
const quiet: AutomationHistory = {
  forSameCause: null,
  openRun: null,
  lastRequestedAt: null,
  requestedLastHour: 0,
};

test.each<[string, Partial<AutomationHistory>, boolean, string]>([
  ["the first cause starts a run", {}, true, "within-budget"],
  ["the same cause starts no second run", { forSameCause: "run-1" }, false, "already-handled"],
  ["another cause waits for a run at work", { openRun: "run-1" }, false, "already-running"],
  [
    "within the cool-down it holds",
    { lastRequestedAt: ago(15 * MINUTE - 1) },
    false,
    "cooling-down",
  ],
  [
    "at the end of the cool-down it goes",
    { lastRequestedAt: ago(15 * MINUTE) },
    true,
    "within-budget",
  ],
  [
    "a spent budget holds",
    { lastRequestedAt: ago(20 * MINUTE), requestedLastHour: 3 },
    false,
    "budget-spent",
  ],
  [
    "the last of the budget may be spent",
    { lastRequestedAt: ago(20 * MINUTE), requestedLastHour: 2 },
    true,
    "within-budget",
  ],
  [
    "the nearest reason is given",
    { forSameCause: "run-1", openRun: "run-1" },
    false,
    "already-handled",
  ],
])("%s", (_claim, history, go, reason) => {
  expect(judgeAutomation(automation, { ...quiet, ...history }, NOW)).toMatchObject({ go, reason });
});

test("a clock that went back does not open the gate", () => {
  const verdict = judgeAutomation(automation, { ...quiet, lastRequestedAt: ago(-MINUTE) }, NOW);
  expect(verdict).toMatchObject({ go: false, reason: "cooling-down" });
});
