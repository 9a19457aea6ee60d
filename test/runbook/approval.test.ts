import { expect, test } from "vitest";
import type { Access, Person } from "../../src/policy/policy.js";
import {
  type ApprovalRequest,
  boundHash,
  judgeVote,
  type NewVote,
  type Vote,
  votesThatStand,
} from "../../src/runbook/approval.js";

const NOW = new Date("2026-03-01T03:00:00Z");
const person = (name: string, more: Partial<Person> = {}): Person => ({
  name,
  role: "operator",
  slack: [],
  github: null,
  subjects: [],
  teams: ["payments"],
  ...more,
});
const request = (more: Partial<ApprovalRequest> = {}): ApprovalRequest => ({
  runId: "run-7",
  boundHash: "hash",
  needed: 1,
  role: "operator",
  team: null,
  runbook: "fix",
  requester: "ann",
  authors: [],
  expiresAt: new Date(NOW.getTime() + 60_000),
  outcome: null,
  ...more,
});
const vote = (more: Partial<NewVote> = {}): NewVote => ({
  person: person("bob"),
  door: "slack",
  decision: "approve",
  boundHash: "hash",
  ...more,
});
const yes = (name: string): Vote => ({ person: name, decision: "approve" });

type Case = [string, Partial<ApprovalRequest>, readonly Vote[], Partial<NewVote>, string];
test.each<Case>([
  ["one other person is enough for one", {}, [], {}, "approved"],
  ["the first of two is counted", { needed: 2 }, [], {}, "counted"],
  ["the second of two lets it go", { needed: 2 }, [yes("cleo")], {}, "approved"],
  ["one person is not two", { needed: 2 }, [yes("bob")], {}, "already-voted"],
  ["who asked does not agree", {}, [], { person: person("ann", { role: "admin" }) }, "requester"],
  [
    "who asked cancels instead of denying",
    {},
    [],
    { person: person("ann"), decision: "deny" },
    "requester",
  ],
  ["one no is a no", { needed: 2 }, [yes("cleo")], { decision: "deny" }, "denied"],
  ["who agreed may still say no", { needed: 2 }, [yes("bob")], { decision: "deny" }, "denied"],
  ["a stranger has no word", {}, [], { person: null }, "unknown-person"],
  ["a lower role has no word", { role: "admin" }, [], {}, "not-an-approver"],
  ["a higher role has one", {}, [], { person: person("bob", { role: "admin" }) }, "approved"],
  ["another team has no word", { team: "search" }, [], {}, "not-an-approver"],
  ["the team's own has one", { team: "payments" }, [], {}, "approved"],
  [
    "a viewer cannot even deny",
    {},
    [],
    { person: person("vic", { role: "viewer" }), decision: "deny" },
    "not-an-approver",
  ],
  ["late is no, to the millisecond", { expiresAt: NOW }, [], {}, "expired"],
  [
    "a millisecond before is in time",
    { expiresAt: new Date(NOW.getTime() + 1) },
    [],
    {},
    "approved",
  ],
  ["another plan is another question", {}, [], { boundHash: "other" }, "plan-changed"],
  ["what is over stays over", { outcome: "denied" }, [], {}, "over"],
  ["a terminal has no vote", {}, [], { door: "cli" }, "door-not-allowed"],
  ["an incident has no vote", {}, [], { door: "pagerduty" }, "door-not-allowed"],
  ["GitHub has no vote", {}, [], { door: "github" }, "door-not-allowed"],
  ["the API has one", {}, [], { door: "api" }, "approved"],
  ["its author alone is not enough", { authors: ["bob"] }, [], {}, "counted"],
  ["nor all its authors", { authors: ["bob", "cleo"] }, [yes("cleo")], {}, "counted"],
  ["its author and another are", { authors: ["bob"] }, [yes("cleo")], {}, "approved"],
  ["another alone is enough", { authors: ["cleo"] }, [], {}, "approved"],
  ["after its author, too", { authors: ["cleo"] }, [yes("cleo")], {}, "approved"],
  ["its author is one of two", { authors: ["bob"], needed: 2 }, [yes("cleo")], {}, "approved"],
  ["its author may say no", { authors: ["bob"] }, [], { decision: "deny" }, "denied"],
  ["its author says it once", { authors: ["bob"] }, [yes("bob")], {}, "already-voted"],
])("%s", (_claim, asked, votes, cast, reason) => {
  const verdict = judgeVote(request(asked), votes, vote(cast), NOW);
  expect(verdict.reason).toBe(reason);
  expect(verdict.accepted).toBe(["approved", "counted", "denied"].includes(reason));
  expect(verdict.sentence).toContain("run-7");
});

test("who wrote it is told in one sentence what is missing", () => {
  const asked = request({ authors: ["bob"] });
  expect(judgeVote(asked, [], vote(), NOW)).toEqual({
    accepted: true,
    reason: "counted",
    sentence: "you wrote the last change of fix: one more person must approve run-7",
    votes: 1,
  });
});

test("a refusal says what would do", () => {
  const { sentence } = judgeVote(request({ role: "admin", team: "payments" }), [], vote(), NOW);
  expect(sentence).toBe(
    "run-7 is decided by an admin or higher of team payments, and bob is operator of payments",
  );
});

test("a vote of somebody whose role was taken away agrees no longer", () => {
  const access: Access = {
    people: [person("bob", { role: "viewer" }), person("cleo")],
    groups: {},
    serviceRoles: { pagerduty: "operator", policy: "operator" },
    rules: [],
  };
  const votes = [yes("bob"), yes("cleo"), yes("gone")];
  expect(votesThatStand(request(), votes, access)).toEqual([yes("cleo")]);
});

const PARTS = {
  commit: "c1",
  runbook: "drop",
  contentHash: "h1",
  params: { a: 1, b: "x" },
  plan: { text: "12 rows", changes: ["drop table a"], facts: { table: "a" } },
  targets: ["table-a", "table-b"],
} as const;
const parts = (more: object = {}) => boundHash({ ...PARTS, params: { ...PARTS.params }, ...more });

test.each<[string, object]>([
  ["the commit", { commit: "c2" }],
  ["no commit", { commit: null }],
  ["the runbook", { runbook: "drop2" }],
  ["its content", { contentHash: "h2" }],
  ["a parameter", { params: { a: 2, b: "x" } }],
  ["a change", { plan: { ...PARTS.plan, changes: ["drop table b"] } }],
  ["one more change", { plan: { ...PARTS.plan, changes: ["drop table a", ""] } }],
  ["a fact", { plan: { ...PARTS.plan, facts: { table: "b" } } }],
  ["a target", { targets: ["table-a"] }],
])("what people agreed to is bound to %s", (_claim, more) => {
  expect(parts(more)).not.toBe(parts());
  expect(parts(more)).toMatch(/^[0-9a-f]{64}$/);
});

test.each<[string, object]>([
  ["the order of parameters", { params: { b: "x", a: 1 } }],
  ["the order of targets", { targets: ["table-b", "table-a"] }],
  [
    "words about what was found, which age by the second",
    { plan: { ...PARTS.plan, text: "13 rows" } },
  ],
])("and not to %s", (_claim, more) => {
  expect(parts(more)).toBe(parts());
});
