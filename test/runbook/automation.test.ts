import { expect, test } from "vitest";
import { isMeantFor } from "../../src/runbook/automation.js";

test.each<[string | null, string | null, boolean]>([
  ["queue", null, true],
  ["DEPTH", null, true],
  ["disk", null, false],
  [null, "algobrain/queue", true],
  [null, "queue", false],
  ["queue", "algobrain/", true],
  ["queue", "other/", false],
  [null, null, false],
])(
  "an automation for title %j and key %j is meant for the incident: %s",
  (titleIncludes, dedupKeyPrefix, meant) => {
    const when = { on: "incident", titleIncludes, dedupKeyPrefix } as const;
    const incident = {
      on: "incident",
      title: "Queue depth high",
      incidentKey: "algobrain/queue-depth-high",
    } as const;
    expect(isMeantFor({ when }, incident)).toBe(meant);
  },
);

test("an automation for a level is meant for that level alone, and for no incident", () => {
  const when = { on: "alert", level: "AR-06" } as const;
  expect(isMeantFor({ when }, { on: "alert", level: "AR-06" })).toBe(true);
  expect(isMeantFor({ when }, { on: "alert", level: "AR-07" })).toBe(false);
  expect(isMeantFor({ when }, { on: "incident", title: "AR-06", incidentKey: null })).toBe(false);
});
