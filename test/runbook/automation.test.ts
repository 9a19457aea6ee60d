import { expect, test } from "vitest";
import { fillParams, isMeantFor } from "../../src/runbook/automation.js";

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

/** A placeholder as people write it. */
const from = (name: string) => `\${${name}}`;
const VALUES = {
  "alert.labels.kind": "index",
  "alert.value": 1523,
  "alert.labels.bad": "a\u0007b",
  "alert.labels.long": "x".repeat(201),
  "alert.labels.none": null,
};

test("a parameter that is wholly a placeholder takes what the cause says, in its own type", () => {
  const params = {
    kind: from("alert.labels.kind"),
    over: from("alert.value"),
    within: 30,
    note: "$5",
  };
  expect(fillParams(params, VALUES)).toEqual({
    ok: true,
    params: { kind: "index", over: 1523, within: 30, note: "$5" },
  });
});

test.each([
  ["that the cause does not say", from("alert.labels.shard")],
  ["inside other text", `queue-${from("alert.labels.kind")}`],
  ["that is no name", from("alert")],
  ["of something else", from("process.env")],
  ["that every object has", from("alert.constructor")],
  ["with what no terminal shows", from("alert.labels.bad")],
  ["longer than any name", from("alert.labels.long")],
  ["that is nothing", from("alert.labels.none")],
])("a placeholder %s is missing, and named", (_what, text) => {
  expect(fillParams({ kind: text }, VALUES)).toEqual({ ok: false, missing: [`kind: ${text}`] });
});
