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
  const actor = { name: "ann", role, door, person: "ann" };
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

const DESTROYS = { name: "drop-all", danger: "D" } as const;
const boss = { name: "boss", role: "admin", door: "slack", person: "boss" } as const;

test("what needs people says whose, how many, and how long they have", () => {
  const rules = [
    makeAccessRule({
      danger: "D",
      role: "operator",
      approvals: 2,
      approvers: { role: "admin", team: "payments" },
      approvalWithinMs: 5_000,
    }),
  ];
  const asked = { actor: boss, runbook: DESTROYS, access: { ...access, rules } };
  expect(authorize(asked)).toMatchObject({
    decision: "needs-approval",
    sentence: "drop-all needs 2 more people to agree",
    approval: { needed: 2, role: "admin", team: "payments", withinMs: 5_000 },
  });
});

test("nobody whom access.yaml does not know can ask people to agree", () => {
  const stranger = { ...boss, name: "cli:boss", door: "cli", person: null } as const;
  expect(authorize({ actor: stranger, runbook: DESTROYS, access })).toMatchObject({
    decision: "deny",
    reason: "approval-needs-a-person",
  });
});

test("an automatic run is nobody's, so anybody else may agree", () => {
  const service = { name: "policy:guard", role: "admin", door: "policy" } as const;
  expect(authorize({ actor: service, runbook: DESTROYS, access }).decision).toBe("needs-approval");
});

test("a dry run needs the right to run, and nobody's approval", () => {
  const asked = { runbook: DESTROYS, access, dryRun: true };
  expect(authorize({ actor: boss, ...asked }).decision).toBe("allow");
  const actor = { ...boss, role: "operator" } as const;
  expect(authorize({ actor, ...asked }).reason).toBe("role-too-low");
});

test.each([
  ["of two numbers the stricter counts", 3, 3],
  ["less than the rule's is the rule's", 0, 1],
])("%s", (_claim, approvalsMin, needed) => {
  const verdict = authorize({ actor: boss, runbook: DESTROYS, access, approvalsMin });
  expect(verdict.approval?.needed).toBe(needed);
});

test("what has not been earned asks people where the rule asks nobody", () => {
  const runbook = { name: "rerun-job", danger: "V" } as const;
  const verdict = authorize({ actor: boss, runbook, access, approvalsMin: 1 });
  expect(verdict).toMatchObject({ decision: "needs-approval", approval: { role: "operator" } });
});

test("a set of an older version says not who may agree: then it is whoever may ask", () => {
  const { approvers: _who, approvalWithinMs: _long, ...older } = access.rules[3]!;
  const rules = [older as AccessRule];
  expect(
    authorize({ actor: boss, runbook: DESTROYS, access: { ...access, rules } }).approval,
  ).toEqual({ needed: 1, role: "admin", team: null, withinMs: 30 * 60_000 });
});

test.each<[string, Danger, boolean, string]>([
  ["what changes anything", "V", false, "stopped"],
  ["what destroys", "D", false, "stopped"],
  ["but not looking", "R", false, "allowed"],
  ["and not a dry run", "D", true, "allowed"],
])("the stop switch stops %s", (_claim, danger, dryRun, reason) => {
  const stopped = {
    by: "cleo",
    reason: "storm",
    at: "2026-03-01T03:00:00Z",
    from: "file",
  } as const;
  const runbook = { name: "any", danger };
  const verdict = authorize({ actor: boss, runbook, access, dryRun, stopped });
  expect(verdict.reason).toBe(reason);
  if (reason === "stopped") expect(verdict.sentence).toContain("cleo stopped it all (storm)");
});
