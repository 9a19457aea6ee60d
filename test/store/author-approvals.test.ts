/** Nobody agrees alone to an automatic run of what he wrote: through handler, gate, votes and rows. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Access, PolicySet } from "../../src/policy/policy.js";
import type { RunbookChange } from "../../src/runbook/authors.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import { readApproval } from "../../src/store/approval-requests.js";
import { castVote } from "../../src/store/approvals.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import { readApprovalAsked } from "../../src/store/run-telling.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeAccessRule, makePerson, makePolicy } from "../support/make-policy.js";
import { makeRunbook, queueRun, workOn } from "../support/runbook-world.js";

const BY_ANN: RunbookChange = {
  commit: "a".repeat(40),
  authors: [{ name: "Ann", email: "Ann@Example.com" }],
};
const registryOf = (change: RunbookChange | null) =>
  new RunbookRegistry([{ runbook: makeRunbook("fix"), contentHash: "hash of fix", change }]);

const person = (name: string, ...subjects: string[]) =>
  makePerson(name, { slack: [`T1/U${name}`], subjects });
const PEOPLE = [person("ann", "git:ann@example.com"), person("bob"), person("cleo")];
function policyOf(more: Partial<PolicySet> = {}, people: Access["people"] = PEOPLE): PolicySet {
  const { access } = makePolicy();
  const rules = [makeAccessRule({ danger: "V", approvals: 1 })];
  return makePolicy({ ...more, access: { ...access, people, rules } });
}

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
interface World {
  readonly registry: RunbookRegistry;
  readonly policy: PolicySet;
}

let made = 0;
/** Asked for by an incident, planned by an executor, and waiting for people. */
async function park(world: World, origin: { readonly automation?: string } = { automation: "a" }) {
  made += 1;
  const id = await queueRun(lent.db, world.registry, "fix", {
    ...{ params: { note: `n${made}` }, chat: { channel: "ops", ts: null } },
    actor: { name: "service:pagerduty", role: "operator", door: "pagerduty" },
    access: world.policy.access,
    ...origin,
  });
  const answer = await workOn({ db: lent.db, ...world }, id);
  const run = (await readRun(lent.db, id))!;
  expect(run).toMatchObject({ status: "queued", waitingFor: "approval" });
  return { id, seq: run.seq, said: JSON.stringify(answer) };
}

/** What its message in chat says, label by label. */
async function fieldsOf(id: string): Promise<Record<string, string>> {
  const { rows } = await lent.db.query<{ fields: { label: string; value: string }[] }>(
    "SELECT body -> 'fields' AS fields FROM control.chat_post WHERE key LIKE $1 || ':%' ORDER BY id",
    [id],
  );
  return Object.fromEntries(rows.at(-1)!.fields.map(({ label, value }) => [label, value]));
}

const vote = (
  runId: string,
  name: string,
  { access }: PolicySet,
  decision: "approve" | "deny" = "approve",
) =>
  castVote(lent.db, {
    ...{ claim: { door: "slack", team: "T1", user: `U${name}` } as const, runId, decision, access },
    ...{ nonce: null, boundHash: null },
  });

test("the author's word is kept and is not enough; with one more person the run goes on", async () => {
  const world = { registry: registryOf(BY_ANN), policy: policyOf() };
  const { id, seq } = await park(world);
  expect(await readApprovalAsked(lent.db, seq)).toMatchObject({ needed: 1, authors: ["ann"] });
  expect(await vote(id, "ann", world.policy)).toMatchObject({
    ...{ accepted: true, reason: "counted", votes: 1 },
    sentence: `you wrote the last change of fix: one more person must approve ${id}`,
  });
  expect(await fieldsOf(id)).toMatchObject({
    Needs: expect.stringContaining("and not ann alone, who wrote its last change"),
  });
  expect(await readRun(lent.db, id)).toMatchObject({ status: "queued", waitingFor: "approval" });
  expect(await vote(id, "bob", world.policy)).toMatchObject({ reason: "approved", votes: 2 });
  expect(await workOn({ db: lent.db, ...world }, id)).toMatchObject({ status: "succeeded" });
  const asked = (await readAuditOfTarget(lent.db, id)).find(
    ({ action }) => action === "approval.asked",
  );
  expect(asked?.details).toMatchObject({ authors: ["ann"], author_unknown: null, needed: 1 });
});

test("what the version before has counted as enough is asked again before anything is done", async () => {
  const world = { registry: registryOf(BY_ANN), policy: policyOf() };
  const { id, seq } = await park(world);
  // It asks without authors, and lets the run go on by the author's word alone.
  await lent.db.query(
    "UPDATE control.approval_request SET approvers = approvers - 'authors' WHERE run_seq = $1",
    [seq],
  );
  expect(await vote(id, "ann", world.policy)).toMatchObject({ reason: "approved" });
  await workOn({ db: lent.db, ...world }, id);
  expect(await readRun(lent.db, id)).toMatchObject({ status: "queued", waitingFor: "approval" });
  expect(await readApproval(lent.db, seq)).toMatchObject({ authors: ["ann"], votes: [] });
});

test("an author who is entered only after the question is one when the run is to act", async () => {
  const before = policyOf({ environment: "local" }, [person("ann"), person("bob")]);
  const registry = registryOf(BY_ANN);
  const { id, said } = await park({ registry, policy: before });
  expect(said).toContain("Ann@Example.com of commit aaaaaaaaaaaa is nobody in access.yaml");
  expect(await vote(id, "ann", before)).toMatchObject({ reason: "approved" });
  const after = { registry, policy: policyOf({ environment: "local" }) };
  await workOn({ db: lent.db, ...after }, id);
  expect(await readRun(lent.db, id)).toMatchObject({ waitingFor: "approval" });
});

test.each<[string, RunbookChange | null, string, number]>([
  ["known nowhere", null, "production", 2],
  ["in no commit", { commit: null, authors: [] }, "staging", 2],
  [
    "by somebody who is nobody",
    { ...BY_ANN, authors: [{ name: "ann", email: "x@y.example" }] },
    "production",
    2,
  ],
  ["known nowhere, in local", null, "local", 1],
])(
  "a change %s: people are told, and so many must agree",
  async (_claim, change, environment, needed) => {
    const world = { registry: registryOf(change), policy: policyOf({ environment }) };
    const { id, seq, said } = await park(world);
    expect(said).toContain("who wrote its last change is not known");
    expect(await readApproval(lent.db, seq)).toMatchObject({ needed, authors: [] });
    expect(await fieldsOf(id)).toMatchObject({
      "Who wrote it": expect.stringContaining("is not known: "),
    });
    if (needed === 2)
      expect(await vote(id, "bob", world.policy)).toMatchObject({ reason: "counted" });
    expect(await vote(id, "cleo", world.policy)).toMatchObject({ reason: "approved" });
    expect(await workOn({ db: lent.db, ...world }, id)).toMatchObject({ status: "succeeded" });
  },
);

test("what a person asked for has two people already: its author may agree", async () => {
  const world = { registry: registryOf(BY_ANN), policy: policyOf() };
  const { id } = await park(world, {});
  expect(await vote(id, "ann", world.policy)).toMatchObject({ reason: "approved" });
});

test("two authors at once, and one no of an author", async () => {
  const registry = registryOf({
    ...BY_ANN,
    authors: [...BY_ANN.authors, { name: "Bob", email: "bob@example.com" }],
  });
  const policy = policyOf({}, [PEOPLE[0]!, person("bob", "git:bob@example.com"), PEOPLE[2]!]);
  const { id } = await park({ registry, policy });
  const both = await Promise.all([vote(id, "ann", policy), vote(id, "bob", policy)]);
  expect(both.map(({ reason }) => reason)).toEqual(["counted", "counted"]);
  expect(await vote(id, "bob", policy, "deny")).toMatchObject({ reason: "denied" });
  expect(await readRun(lent.db, id)).toMatchObject({ status: "cancelled" });
});
