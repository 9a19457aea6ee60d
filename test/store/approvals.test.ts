/** Approvals as they stand in the database. One database for all: each claim has a run of its own. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Access } from "../../src/policy/policy.js";
import type { ApprovalRule } from "../../src/runbook/authorize.js";
import type { Claim } from "../../src/runbook/identity.js";
import { expireApprovals, openApproval, readApproval } from "../../src/store/approval-requests.js";
import { type Ballot, castVote } from "../../src/store/approvals.js";
import { readAuditOfTarget, verifyAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { cancelRun } from "../../src/store/run-endings.js";
import { readRun } from "../../src/store/runs.js";
import { clearStopRow, setStopRow } from "../../src/store/stop-switch.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePerson } from "../support/make-policy.js";
import {
  ACCESS,
  makeIncidents,
  makeRegistry,
  makeRunbook,
  queueRun,
  workOn,
} from "../support/runbook-world.js";

const registry = makeRegistry(makeRunbook("fix"));
const access: Access = {
  ...ACCESS,
  people: ["ann", "bob", "cleo"].map((name) =>
    makePerson(name, { slack: [`T1/U${name}`], subjects: [`${name}-sub`] }),
  ),
};
const HASH = "a".repeat(64);
const RULE: ApprovalRule = { needed: 1, role: "operator", team: null, withinMs: 60_000 };

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());

let made = 0;
/** A run of ann's that waits for people, as its executor leaves it. */
async function park(
  rule: Partial<ApprovalRule> = {},
  origin: { readonly incidentId?: string } = {},
) {
  made += 1;
  const actor = { name: "ann", role: "operator", door: "slack", person: "ann" } as const;
  const id = await queueRun(db, registry, "fix", {
    actor,
    params: { note: `n${made}` },
    ...origin,
  });
  const run = (await readRun(db, id))!;
  const asked = await db.transaction(async (tx) => {
    await tx.query(
      "UPDATE control.run SET waiting_for = 'approval', job_seq = NULL, bound_hash = $2 WHERE seq = $1",
      [run.seq, HASH],
    );
    await tx.query("UPDATE public.jobs SET status = 'completed' WHERE seq = $1", [run.jobSeq]);
    return openApproval(tx, run, { rule: { ...RULE, ...rule }, boundHash: HASH });
  });
  return { id, seq: run.seq, run, nonce: asked.nonce };
}
const slack = (name: string): Claim => ({ door: "slack", team: "T1", user: `U${name}` });
const vote = (runId: string, name: string, more: Partial<Ballot> = {}) =>
  castVote(db, {
    claim: slack(name),
    runId,
    nonce: null,
    boundHash: null,
    decision: "approve",
    access,
    ...more,
  });
const auditOf = async (id: string) =>
  (await readAuditOfTarget(db, id)).map(({ actor, action, details }) => ({
    actor,
    action,
    reason: details.reason,
  }));
const refusals = async (id: string) =>
  (await auditOf(id)).filter(({ action }) => action === "approval.refused");
const openJobs = async (id: string) => {
  const { rows } = await db.query<{ seq: number }>(
    "SELECT seq FROM public.jobs WHERE payload ->> 'run_id' = $1 AND status = 'pending'",
    [id],
  );
  return rows.map(({ seq }) => seq);
};

test("a yes lets the run go on, with a job of its own", async () => {
  const { id, nonce } = await park();
  expect(await vote(id, "bob", { nonce })).toMatchObject({
    accepted: true,
    reason: "approved",
    person: "bob",
    sentence: `${id} is approved by bob: it starts now`,
  });
  const run = await readRun(db, id);
  expect(run).toMatchObject({ status: "queued", waitingFor: null });
  expect(await openJobs(id)).toEqual([run!.jobSeq]);
  expect((await auditOf(id)).at(-1)).toMatchObject({ actor: "bob", action: "approval.given" });
});

test("a no ends it, and a last job tells people", async () => {
  const { id } = await park({ needed: 2 });
  await vote(id, "cleo");
  expect(await vote(id, "bob", { decision: "deny", reason: "freeze" })).toMatchObject({
    accepted: true,
    reason: "denied",
  });
  const run = await readRun(db, id);
  expect(run).toMatchObject({ status: "cancelled", outcome: "denied by bob: freeze" });
  expect(await openJobs(id)).toEqual([run!.jobSeq]);
  expect(await vote(id, "cleo")).toMatchObject({ accepted: false, reason: "over" });
});

test("of a no the incident is told by the run's last job, which does nothing else", async () => {
  const { id } = await park({}, { incidentId: "Q1" });
  await vote(id, "bob", { decision: "deny", reason: "freeze" });
  const incidents = makeIncidents();
  const answer = await workOn({ db, registry, incidents }, id);
  expect(answer).toMatchObject({ status: "cancelled" });
  expect(incidents.notes.map(({ text }) => text).join()).toContain("denied by bob: freeze");
  const { rows } = await db.query(
    "SELECT FROM control.run_step JOIN control.run ON run.seq = run_step.run_seq WHERE run.id = $1",
    [id],
  );
  expect(rows).toEqual([]);
});

test("a no after time-out, a yes after a no, and a vote on what was cancelled come too late", async () => {
  const { id, seq } = await park();
  await db.transaction((tx) => cancelRun(tx, { id, actor: "ann", reason: "not needed" }));
  expect(await vote(id, "bob")).toMatchObject({ reason: "over" });
  const { rows } = await db.query(
    "SELECT outcome FROM control.approval_request WHERE run_seq = $1",
    [seq],
  );
  expect(rows).toEqual([{ outcome: "cancelled" }]);
});

test("a run that the previous version cancelled is over, though its request says nothing", async () => {
  const { id, seq } = await park();
  await db.query("UPDATE control.run SET status = 'cancelled' WHERE seq = $1", [seq]);
  expect(await vote(id, "bob")).toMatchObject({ reason: "over" });
  expect((await readRun(db, id))?.status).toBe("cancelled");
});

describe("refused, and audited with the reason and the identity", () => {
  test.each<[string, Partial<Ballot> & { name?: string }, string]>([
    ["who asked", { name: "ann" }, "requester"],
    ["a forged user", { claim: slack("mallory") }, "unknown-person"],
    [
      "a known user of another team",
      { claim: { door: "slack", team: "T9", user: "Ubob" } },
      "unknown-person",
    ],
    ["a terminal", { claim: { door: "cli", user: "bob" } }, "door-not-allowed"],
    ["a replayed button of nothing", { nonce: "AAAAAAAAAAAAAAAAAAAAAA" }, "wrong-nonce"],
    ["another plan", { boundHash: "b".repeat(64) }, "plan-changed"],
    [
      "a token that is no operator's",
      { claim: { door: "api", subject: "bob-sub", role: "viewer" } },
      "not-an-approver",
    ],
  ])("%s", async (_claim, { name = "bob", ...more }, reason) => {
    const { id, seq } = await park();
    expect(await vote(id, name, more)).toMatchObject({ accepted: false, reason });
    expect(await refusals(id)).toMatchObject([{ reason }]);
    const { rows } = await db.query("SELECT FROM control.approval WHERE run_seq = $1", [seq]);
    expect(rows).toEqual([]);
    expect(await readRun(db, id)).toMatchObject({ status: "queued", waitingFor: "approval" });
  });

  test("a run that nobody knows", async () => {
    expect(await vote("run-999999", "bob")).toMatchObject({ reason: "unknown-run" });
    expect(await refusals("run-999999")).toMatchObject([{ actor: "bob", reason: "unknown-run" }]);
  });

  test("a run that asks nobody", async () => {
    const id = await queueRun(db, registry, "fix", { params: { note: "asks nobody" } });
    expect(await vote(id, "bob")).toMatchObject({ reason: "not-asked" });
  });

  test("a yes while everything is stopped; a no is heard", async () => {
    const [one, other] = [await park(), await park()];
    await setStopRow(db, { by: "cleo", reason: "storm" });
    expect(await vote(one.id, "bob")).toMatchObject({ reason: "stopped" });
    expect(await vote(other.id, "bob", { decision: "deny" })).toMatchObject({ reason: "denied" });
    await clearStopRow(db, { by: "cleo", reason: "over" });
    expect(await vote(one.id, "bob")).toMatchObject({ reason: "approved" });
  });
});

test("two clicks of one person at once are one", async () => {
  const { id } = await park({ needed: 2 });
  const both = await Promise.all([vote(id, "bob"), vote(id, "bob")]);
  expect(both.map(({ reason }) => reason).sort()).toEqual(["already-voted", "counted"]);
  expect(await refusals(id)).toHaveLength(1);
});

test("two who agree at once let it go once", async () => {
  const { id } = await park();
  const both = await Promise.all([vote(id, "bob"), vote(id, "cleo")]);
  expect(both.map(({ reason }) => reason).sort()).toEqual(["approved", "over"]);
  expect(await openJobs(id)).toHaveLength(1);
});

test("the same person through two doors is one", async () => {
  const { id } = await park({ needed: 2 });
  await vote(id, "bob");
  const claim: Claim = { door: "api", subject: "bob-sub", role: "admin" };
  expect(await vote(id, "bob", { claim })).toMatchObject({ reason: "already-voted" });
});

test("a vote whose person lost the role no longer agrees", async () => {
  const { id } = await park({ needed: 2 });
  await vote(id, "bob");
  const without = { ...access, people: access.people.filter(({ name }) => name !== "bob") };
  expect(await vote(id, "cleo", { access: without })).toMatchObject({
    reason: "counted",
    votes: 1,
  });
});

describe("a plan that changed", () => {
  test("asks anew: earlier votes and earlier buttons count no more", async () => {
    const { id, run, nonce } = await park({ needed: 2 });
    await vote(id, "bob", { nonce });
    const again = await db.transaction((tx) =>
      openApproval(tx, run, { rule: { ...RULE, needed: 2 }, boundHash: HASH }),
    );
    expect(again.nonce).not.toBe(nonce);
    expect(await readApproval(db, run.seq)).toMatchObject({ votes: [], outcome: null });
    expect(await vote(id, "cleo", { nonce })).toMatchObject({ reason: "wrong-nonce" });
    expect(await vote(id, "cleo", { nonce: again.nonce })).toMatchObject({
      reason: "counted",
      votes: 1,
    });
    expect(await vote(id, "bob", { nonce: again.nonce })).toMatchObject({ reason: "approved" });
    expect((await auditOf(id)).map(({ action }) => action)).toContain("approval.voided");
  });

  test("wants to know which one a typed yes is for", async () => {
    const { id, run } = await park();
    await db.transaction((tx) => openApproval(tx, run, { rule: RULE, boundHash: "c".repeat(64) }));
    expect(await vote(id, "bob")).toMatchObject({ reason: "plan-changed" });
    expect(await vote(id, "bob", { boundHash: "c".repeat(64) })).toMatchObject({
      reason: "approved",
    });
  });
});

describe("nobody's answer", () => {
  const late = (seq: number) =>
    db.query("UPDATE control.approval_request SET expires_at = now() WHERE run_seq = $1", [seq]);

  test("is a no, once, however many look", async () => {
    const { id, seq } = await park({ needed: 2 });
    await late(seq);
    const ended = await Promise.all([1, 2, 3].map(() => db.transaction(expireApprovals)));
    expect(ended.flat().filter((one) => one === id)).toEqual([id]);
    expect(await readRun(db, id)).toMatchObject({
      status: "cancelled",
      outcome: "fewer than 2 people agreed in time: nothing was done",
    });
    expect(await openJobs(id)).toHaveLength(1);
    expect((await auditOf(id)).filter(({ action }) => action === "approval.expired")).toHaveLength(
      1,
    );
  });

  test("is a no also for the vote that comes a moment later", async () => {
    const { id, seq } = await park();
    await late(seq);
    expect(await vote(id, "bob")).toMatchObject({ accepted: false, reason: "expired" });
  });

  test("leaves a run alone that was ended otherwise", async () => {
    const { id, seq } = await park();
    await db.query(
      "UPDATE control.run SET status = 'cancelled', outcome = 'by hand' WHERE seq = $1",
      [seq],
    );
    await late(seq);
    expect(await db.transaction(expireApprovals)).not.toContain(id);
    expect((await readRun(db, id))?.outcome).toBe("by hand");
  });
});

test("the record of all this is whole", async () => {
  expect(await verifyAudit(db)).toMatchObject({ ok: true });
});
