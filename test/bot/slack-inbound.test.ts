/** What was typed or pressed in Slack, on its way to a run, an order or a refusal: who it was, and may they. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { createInboundHandler } from "../../src/bot/inbound.js";
import type { Access, PolicySet } from "../../src/policy/policy.js";
import type { RunbookRegistry } from "../../src/runbook/registry.js";
import type { Run } from "../../src/runbook/run.js";
import { runNonce } from "../../src/runbook/telling.js";
import type { Database } from "../../src/store/database.js";
import { type NewInbound, recordInbound } from "../../src/store/inbound.js";
import { readTimeline } from "../../src/store/incident-timeline.js";
import { openIncident, readIncident } from "../../src/store/incidents.js";
import { listRuns, readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import {
  ACCESS,
  makeLiveContext,
  makeRegistry,
  makeRunbook,
  workOn,
} from "../support/runbook-world.js";

const undo = { name: "unfix", repeat: "safe", run: async () => "unfixed" } as const;
const step = { name: "act", repeat: "safe", run: async () => "acted" } as const;
const registry: RunbookRegistry = makeRegistry(
  makeRunbook("fix-it", { steps: [{ ...step, undo }] }),
  makeRunbook("read-it", { danger: "R" }),
  makeRunbook("drop-it", { danger: "D" }),
);
const [ann, vic] = [ACCESS.people[0]!, ACCESS.people[1]!];
/** Ann asks, Ada and Bob may agree, Vic only looks. */
const access: Access = {
  ...ACCESS,
  people: [
    { ...ann, role: "admin" },
    vic,
    { ...ann, name: "ada", role: "admin", slack: ["T1/UADA"] },
    { ...ann, name: "bob", role: "admin", slack: ["T1/UBOB"] },
  ],
};

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent?.drop());
beforeEach(() =>
  db.query(
    "TRUNCATE control.inbound, control.run, control.run_step, control.chat_post, public.jobs, public.audit_log RESTART IDENTITY CASCADE",
  ),
);

const policy: PolicySet = makePolicy({ access });
async function handle(id: number) {
  const handler = createInboundHandler({
    ...{ db, registry, policy: () => policy, chat: null, incidents: null, gitopsRepo: null },
  });
  return handler.run(makeLiveContext({ inbound_id: id }));
}

let deliveries = 0;
async function receive(event: NewInbound) {
  const { id } = await db.transaction((tx) => recordInbound(tx, event));
  return { id, result: await handle(id) };
}
const type = (text: string, user = "UANN", more: object = {}) =>
  receive({
    ...{ source: "slack", deliveryId: `T1/${++deliveries}`, eventType: "slash_command" },
    body: {
      team: "T1",
      user,
      userName: "ann",
      channel: "C1",
      command: "/algobrain",
      text,
      ...more,
    },
  });
const press = (action: string, value: string, user = "UANN", team = "T1") =>
  receive({
    ...{ source: "slack", deliveryId: `T1/${++deliveries}`, eventType: "block_actions" },
    body: { team, user, channel: "C1", actions: [{ action, value }] },
  });

async function audit(): Promise<string[]> {
  const { rows } = await db.query<{ actor: string; action: string }>(
    "SELECT actor, action FROM audit_log ORDER BY seq",
  );
  return rows.map(({ actor, action }) => `${actor} ${action}`);
}
interface Reply {
  readonly user: string | null;
  readonly title: string;
  readonly text: string;
  readonly actions?: readonly { readonly action: string; readonly value: string }[];
}
async function replyTo(id: number): Promise<Reply | undefined> {
  const { rows } = await db.query<Reply>(
    `SELECT ephemeral_user AS "user", body ->> 'title' AS title, body ->> 'text' AS text, body -> 'actions' AS actions
     FROM control.chat_post WHERE key = 'inbound:' || $1`,
    [id],
  );
  return rows[0];
}
async function buttonsOf(runId: string): Promise<Record<string, string>> {
  const { rows } = await db.query<{ actions: { action: string; value: string }[] | null }>(
    "SELECT body -> 'actions' AS actions FROM control.chat_post WHERE key = $1 || ':main'",
    [runId],
  );
  return Object.fromEntries((rows[0]?.actions ?? []).map(({ action, value }) => [action, value]));
}

describe("a slash command", () => {
  test("of a known person becomes a run with its job, its place in chat and its audit row", async () => {
    const { id, result } = await type("fix-it it hangs");
    expect(result).toEqual({ status: "handled", outcome: "queued as run-1" });
    expect(await listRuns(db, 9)).toMatchObject([
      {
        ...{ id: "run-1", actor: "ann", person: "ann", role: "admin", door: "slack" },
        params: { note: "it hangs" },
        chat: { channel: "C1", ts: null },
      },
    ]);
    const { rows } = await db.query("SELECT payload FROM jobs WHERE job_type = 'runbook'");
    expect(rows).toEqual([{ payload: { run_id: "run-1" } }]);
    expect(await audit()).toEqual(["ann run.requested"]);
    expect(await replyTo(id)).toBeUndefined();
  });

  test("keeps its reason also when the runbook has no such parameter, and counts as a drill when it says so", async () => {
    await type('fix-it --reason "the disk is full" --drill --dry-run');
    expect(await listRuns(db, 1)).toMatchObject([
      { reason: "the disk is full", isDrill: true, dryRun: true, params: {} },
    ]);
  });

  test.each([
    ["a stranger", "fix-it", "UNOBODY", "nobody in access.yaml", "slack:T1/UNOBODY run.refused"],
    ["a viewer who changes something", "fix-it", "UVIC", "needs the role", "vic run.refused"],
    [
      "a stranger who only looks",
      "runs",
      "UNOBODY",
      "nobody in access.yaml",
      "slack:T1/UNOBODY run.refused",
    ],
    ["a viewer who stops all", "stop", "UVIC", "needs the role operator", "vic run.order-refused"],
  ])("of %s is refused, told to them alone and audited, and starts nothing", async (...row) => {
    const [, text, user, words, audited] = row;
    const { id, result } = await type(text, user);
    expect(result).toMatchObject({ status: "refused" });
    expect(await listRuns(db, 9)).toEqual([]);
    expect(await audit()).toEqual([audited]);
    const reply = await replyTo(id);
    expect(reply).toMatchObject({ user });
    expect(reply?.text).toContain(words);
  });

  test("typed twice by an impatient person is one run", async () => {
    await type("fix-it");
    const { id, result } = await type("fix-it");
    expect(result).toMatchObject({
      status: "ignored",
      outcome: "the same is already queued as run-1, asked by ann",
    });
    expect(await listRuns(db, 9)).toHaveLength(1);
    expect(await replyTo(id)).toMatchObject({ title: "Not run: fix-it" });
  });

  test("whose job runs twice is one run and one answer", async () => {
    const { id } = await type("fix-it");
    await handle(id);
    const refused = await type("fix-it", "UVIC");
    await handle(refused.id);
    expect(await listRuns(db, 9)).toHaveLength(1);
    expect((await db.query("SELECT FROM control.chat_post")).rowCount).toBe(1);
    expect(await audit()).toEqual(["ann run.requested", "vic run.refused"]);
  });

  test("that could not be carried out for more than ten minutes is asked again, and then runs once", async () => {
    const typedAt = new Date(systemClock.now().getTime() - 11 * 60_000).toISOString();
    const { id, result } = await type("fix-it", "UANN", { typedAt });
    expect(result).toMatchObject({ status: "ignored" });
    expect(await listRuns(db, 9)).toEqual([]);
    const [again] = (await replyTo(id))?.actions ?? [];
    expect(again?.action).toBe("run-now");
    const other = await press("run-now", again!.value, "UADA");
    expect(other.result).toMatchObject({ status: "refused" });
    await press("run-now", again!.value);
    await db.query("UPDATE control.run SET status = 'failed', ended_at = now()");
    await press("run-now", again!.value);
    expect(await listRuns(db, 9)).toHaveLength(1);
  });

  test.each([
    ["runs", "Newest runs"],
    ["run-1", "run-1 queued: fix-it"],
    ["run-99", "There is no run-99"],
    ["locks", "Nothing is held"],
  ])("that only looks is answered to the asker alone: %s", async (text, title) => {
    await type("fix-it");
    const { id } = await type(text, "UVIC");
    expect(await replyTo(id)).toMatchObject({ user: "UVIC", title });
  });

  test("stops all runs and lets them go on, each by who may", async () => {
    const operator = { ...ann, role: "operator" as const };
    const mixed = makePolicy({ access: { ...access, people: [operator, access.people[2]!] } });
    const handler = createInboundHandler({
      ...{ db, registry, policy: () => mixed, chat: null, incidents: null, gitopsRepo: null },
    });
    const order = async (text: string, user: string) => {
      const { id } = await db.transaction((tx) =>
        recordInbound(tx, {
          ...{ source: "slack", deliveryId: `T1/${++deliveries}`, eventType: "slash_command" },
          body: { team: "T1", user, channel: "C1", text },
        }),
      );
      return handler.run(makeLiveContext({ inbound_id: id }));
    };
    expect(await order("stop it burns", "UANN")).toMatchObject({ status: "handled" });
    expect(await order("fix-it", "UADA")).toMatchObject({
      status: "refused",
      outcome: expect.stringContaining("it burns"),
    });
    expect(await order("resume-runbooks", "UANN")).toMatchObject({ status: "refused" });
    expect(await order("resume-runbooks", "UADA")).toMatchObject({ status: "handled" });
    expect(await order("fix-it", "UADA")).toMatchObject({ status: "handled" });
  });
});

describe("a note on an incident", () => {
  const STARTED = new Date(systemClock.now().getTime() - 60_000);
  beforeEach(() => db.query("TRUNCATE control.incident, control.incident_day CASCADE"));
  const open = (title: string) =>
    db.transaction((tx) =>
      openIncident(
        tx,
        {
          ...{ title, severity: "sev1", causeKey: null, by: "ann" },
          ...{ startedAt: STARTED, now: systemClock.now() },
        },
        policy,
      ),
    );
  const saidOf = async (number: string) => {
    const incident = (await readIncident(db, number))!;
    const timeline = await readTimeline(db, incident, systemClock.now());
    return timeline.filter(({ source }) => source === "note");
  };

  test("is a line of its timeline, at the time at which it was typed, once", async () => {
    const { number } = await open("checkout is down");
    const typedAt = new Date(systemClock.now().getTime() - 30_000);
    const words = "note the disk of db-1 is full, R&amp;D is told";
    const { id, result } = await type(words, "UANN", { typedAt: typedAt.toISOString() });
    expect(result).toMatchObject({ status: "handled", outcome: `noted in ${number}` });
    await handle(id);
    const text = "the disk of db-1 is full, R&D is told";
    expect(await saidOf(number)).toEqual([{ source: "note", at: typedAt, by: "ann", text }]);
    expect(await replyTo(id)).toMatchObject({ title: `Noted in ${number}`, text });
  });

  test("goes to the one that it names; of several open ones nobody guesses", async () => {
    const [one, other] = [await open("checkout is down"), await open("mail is late")];
    await type(`note ${other.number.toLowerCase()} it is the relay`);
    expect(await saidOf(one.number)).toEqual([]);
    expect(await saidOf(other.number)).toMatchObject([{ text: "it is the relay" }]);
    const { result } = await type("note which one?");
    expect(result).toMatchObject({ status: "refused", outcome: expect.stringContaining("2 inc") });
  });

  test.each([
    ["without an open one", "note it is over", "UANN", "no incident is open"],
    ["on one that is not there", "note INC-2026-01-01-001 x", "UANN", "there is no incident INC"],
    ["by who only looks", "note I saw it", "UVIC", "it needs the role operator"],
    ["by a stranger", "note I saw it", "UNOBODY", "nobody in access.yaml"],
  ])("%s is refused", async (_why, text, user, sentence) => {
    const { result } = await type(text, user);
    expect(result).toMatchObject({ status: "refused", outcome: expect.stringContaining(sentence) });
  });
});

describe("a button", () => {
  /** A run that waits for one more person, as its executor leaves it. */
  async function waitingRun(): Promise<Run> {
    const { result } = await type("drop-it");
    const { outcome } = result as { outcome: string };
    const id = /run-\d+/.exec(outcome)![0];
    await workOn({ db, registry, policy }, id);
    const run = (await readRun(db, id))!;
    expect(run).toMatchObject({ status: "queued", waitingFor: "approval" });
    return run;
  }

  const runbookJobs = async () =>
    (await db.query("SELECT FROM jobs WHERE job_type = 'runbook'")).rowCount;

  test("approves for whoever pressed it, and the run's message says so at once", async () => {
    const run = await waitingRun();
    const { approve } = await buttonsOf(run.id);
    const { id, result } = await press("approve", approve!, "UADA");
    expect(result).toMatchObject({ status: "handled" });
    expect(await replyTo(id)).toMatchObject({ user: "UADA", title: `approve ${run.id}` });
    expect(await readRun(db, run.id)).toMatchObject({ waitingFor: null, status: "queued" });
    expect(await buttonsOf(run.id)).toEqual({ cancel: `${run.id}:${runNonce(run)}` });
    await workOn({ db, registry, policy }, run.id);
    expect(await readRun(db, run.id)).toMatchObject({ status: "succeeded" });
  });

  test.each([
    ["of who asked", "UANN", "T1"],
    ["of a viewer", "UVIC", "T1"],
    ["of a stranger", "UNOBODY", "T1"],
    ["of the same name in another workspace", "UADA", "T2"],
  ])("%s approves nothing, and is audited", async (_whose, user, team) => {
    const run = await waitingRun();
    const { approve } = await buttonsOf(run.id);
    expect((await press("approve", approve!, user, team)).result).toMatchObject({
      status: "refused",
    });
    expect(await readRun(db, run.id)).toMatchObject({ waitingFor: "approval" });
    expect((await audit()).filter((row) => row.endsWith("approval.refused"))).toHaveLength(1);
  });

  test("pressed twice, or with a value of another request, counts once", async () => {
    const run = await waitingRun();
    const { approve } = await buttonsOf(run.id);
    const jobsBefore = await runbookJobs();
    const forged = await press("approve", `${run.id}:n0nce`, "UADA");
    const clicks = await Promise.all([
      press("approve", approve!, "UADA"),
      press("approve", approve!, "UBOB"),
    ]);
    const statuses = clicks.map(({ result }) => (result as { status: string }).status).sort();
    expect([forged.result, statuses]).toMatchObject([
      { status: "refused" },
      ["handled", "refused"],
    ]);
    expect(await runbookJobs()).toBe(jobsBefore + 1);
  });

  test("denies: nothing was done, and the message says by whom", async () => {
    const run = await waitingRun();
    const { deny } = await buttonsOf(run.id);
    await press("deny#1", deny!, "UBOB");
    expect(await readRun(db, run.id)).toMatchObject({
      status: "cancelled",
      outcome: expect.stringContaining("bob"),
    });
    expect(await buttonsOf(run.id)).toEqual({});
  });

  test("cancels a run that has not begun, but not for a stranger, nor one of another life of the database", async () => {
    await type("fix-it");
    const run = (await readRun(db, "run-1"))!;
    const value = `run-1:${runNonce(run)}`;
    expect((await press("cancel", value, "UNOBODY")).result).toMatchObject({ status: "refused" });
    expect((await press("cancel", "run-1:abc123")).result).toMatchObject({ status: "refused" });
    expect(await readRun(db, "run-1")).toMatchObject({ status: "queued" });
    expect((await press("cancel", value)).result).toMatchObject({ status: "handled" });
    expect(await readRun(db, "run-1")).toMatchObject({ status: "cancelled" });
  });

  test("undoes once, by a run of its own", async () => {
    await type("fix-it");
    await workOn({ db, registry, policy }, "run-1");
    const { undo: value } = await buttonsOf("run-1");
    const first = await press("undo", value!);
    expect(first.result).toEqual({ status: "handled", outcome: "queued as run-2" });
    expect((await press("undo", value!)).result).toMatchObject({ status: "refused" });
    await workOn({ db, registry, policy }, "run-2");
    expect(await readRun(db, "run-1")).toMatchObject({ undone: "complete" });
  });

  test("that is none of ours is kept and ignored", async () => {
    const { result } = await press("vote'--", "run-1:x; DROP TABLE");
    expect(result).toMatchObject({ status: "ignored" });
  });
});
