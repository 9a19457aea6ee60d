import { expect, test } from "vitest";
import type { Access, AccessRule, Danger, Door, Role } from "../../src/policy/policy.js";
import { authorize } from "../../src/runbook/authorize.js";
import { makeAccessRule } from "../support/make-policy.js";

const everyDoor: readonly Door[] = ["slack", "api", "cli", "pagerduty", "policy"];
const rule = (more: Partial<AccessRule>): AccessRule =>
  makeAccessRule({
    runbook: null,
    danger: null,
    role: "operator",
    doors: everyDoor,
    approvals: 0,
    ...more,
  });
const access: Access = {
  people: [],
  groups: {},
  serviceRoles: { pagerduty: "operator", policy: "operator" },
  rules: [
    rule({ runbook: "respond-queue-backlog", doors: ["pagerduty", "slack"] }),
    rule({ danger: "R", role: "viewer" }),
    rule({ danger: "V", doors: ["slack", "cli"] }),
    rule({ danger: "D", role: "admin", approvals: 1 }),
    // Comes too late: the first rule that matches has decided.
    rule({ runbook: "respond-queue-backlog", role: "viewer" }),
  ],
};

test.each<[string, string, Danger, Role, Door, string, string]>([
  ["a viewer reads", "queue-depth", "R", "viewer", "slack", "allow", "allowed"],
  ["a viewer changes nothing", "rerun-job", "V", "viewer", "slack", "deny", "role-too-low"],
  ["an operator changes something", "rerun-job", "V", "operator", "slack", "allow", "allowed"],
  ["an admin is more than an operator", "rerun-job", "V", "admin", "cli", "allow", "allowed"],
  [
    "a door that is not listed stays shut",
    "rerun-job",
    "V",
    "admin",
    "api",
    "deny",
    "door-not-allowed",
  ],
  [
    "automation does what is listed by name",
    "respond-queue-backlog",
    "V",
    "operator",
    "pagerduty",
    "allow",
    "allowed",
  ],
  [
    "automation does nothing else",
    "rerun-job",
    "V",
    "operator",
    "pagerduty",
    "deny",
    "door-not-allowed",
  ],
  [
    "the first rule decides, not the most generous",
    "respond-queue-backlog",
    "V",
    "viewer",
    "slack",
    "deny",
    "role-too-low",
  ],
  [
    "what destroys needs a second person",
    "drop-all",
    "D",
    "admin",
    "cli",
    "needs-approval",
    "second-person-needed",
  ],
  [
    "what destroys is not for operators",
    "drop-all",
    "D",
    "operator",
    "cli",
    "deny",
    "role-too-low",
  ],
])("%s", (_claim, name, danger, role, door, decision, reason) => {
  const actor = { name: "ann", role, door };
  expect(authorize({ actor, runbook: { name, danger }, access })).toMatchObject({
    decision,
    reason,
  });
});

test("without a rule the answer is no", () => {
  const nobody: Access = { ...access, rules: [] };
  const actor = { name: "ann", role: "admin", door: "cli" } as const;
  const verdict = authorize({
    actor,
    runbook: { name: "queue-depth", danger: "R" },
    access: nobody,
  });
  expect(verdict).toMatchObject({ decision: "deny", reason: "no-rule" });
});

test("a refusal says what would do", () => {
  const actor = { name: "ann", role: "viewer", door: "slack" } as const;
  const { sentence } = authorize({ actor, runbook: { name: "rerun-job", danger: "V" }, access });
  expect(sentence).toBe("rerun-job needs the role operator, and ann is viewer");
});
