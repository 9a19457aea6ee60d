/** From a kept event to a run or a refusal: who asked, may they, is the automation within its guards. */
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { createInboundHandler } from "../../src/bot/inbound.js";
import type { Automation, PolicySet } from "../../src/policy/policy.js";
import type { Database } from "../../src/store/database.js";
import { type NewInbound, recordInbound } from "../../src/store/inbound.js";
import { listRuns } from "../../src/store/runs.js";
import { withDatabase } from "../support/database.js";
import { makeGuard, makePolicy } from "../support/make-policy.js";
import {
  ACCESS,
  makeChat,
  makeIncidents,
  makeLiveContext,
  makeRegistry,
  makeRunbook,
} from "../support/runbook-world.js";

const registry = makeRegistry(
  makeRunbook("fix-it"),
  makeRunbook("read-it", { danger: "R" }),
  makeRunbook("drop-it", { danger: "D" }),
);

const AUTOMATION: Automation = {
  name: "backlog",
  when: { on: "incident", titleIncludes: "queue", dedupKeyPrefix: null },
  runbook: "fix-it",
  params: { note: "by itself" },
  guard: makeGuard({ cooldownMs: 60_000, perHourMax: 3 }),
  trust: { level: "auto", because: "a test" },
};

function open(db: Database, policy: Partial<PolicySet> = {}, gitopsRepo: string | null = null) {
  const [chat, incidents] = [makeChat(), makeIncidents()];
  const set = makePolicy({ access: ACCESS, automation: [AUTOMATION], ...policy });
  const deps = { db, registry, policy: () => set, chat, incidents, gitopsRepo };
  const handler = createInboundHandler(deps);
  const handle = (id: number) => handler.run(makeLiveContext({ inbound_id: id }));
  const receive = async (event: NewInbound) => {
    const { id } = await db.transaction((tx) => recordInbound(tx, event));
    return { id, result: await handle(id) };
  };
  return { chat, incidents, handle, receive };
}

let deliveries = 0;
const command = (text: string, user = "UANN"): NewInbound => ({
  source: "slack",
  deliveryId: `T1/${++deliveries}`,
  eventType: "slash_command",
  body: { team: "T1", user, userName: "ann", channel: "C1", command: "/algobrain", text },
});

const incident = (incidentId: string, more: JsonObject = {}): NewInbound => ({
  source: "pagerduty",
  deliveryId: `webhook-${++deliveries}`,
  eventType: "incident.triggered",
  body: {
    eventId: "e",
    incidentId,
    title: "Queue depth high",
    incidentKey: "k",
    url: null,
    ...more,
  },
});

async function audit(db: Database) {
  const { rows } = await db.query<{ actor: string; action: string }>(
    "SELECT actor, action FROM audit_log ORDER BY seq",
  );
  return rows.map(({ actor, action }) => `${actor} ${action}`);
}

describe("a slash command", () => {
  test("of a known person becomes a run with its job, its place in chat and its audit row", () =>
    withDatabase(async (db) => {
      const { receive, chat } = open(db);
      const { result } = await receive(command("fix-it it hangs"));
      expect(result).toEqual({ status: "handled", outcome: "queued as run-1" });
      expect(await listRuns(db, 9)).toMatchObject([
        {
          id: "run-1",
          actor: "ann",
          role: "operator",
          door: "slack",
          params: { note: "it hangs" },
          chat: { channel: "C1", ts: null },
        },
      ]);
      const { rows } = await db.query("SELECT payload FROM jobs WHERE job_type = 'runbook'");
      expect(rows).toEqual([{ payload: { run_id: "run-1" } }]);
      expect(await audit(db)).toEqual(["ann run.requested"]);
      expect(chat.posts).toEqual([]);
    }));

  test.each([
    ["a stranger", "fix-it", "UNOBODY", "nobody in access.yaml", "slack:T1/UNOBODY run.refused"],
    [
      "a viewer who wants to change something",
      "fix-it",
      "UVIC",
      "needs the role operator",
      "vic run.refused",
    ],
    [
      "one who would need a second person",
      "drop-it",
      "UANN",
      "needs the role admin",
      "ann run.refused",
    ],
  ])("of %s is refused, told and audited, and starts nothing", (_who, text, user, words, audited) =>
    withDatabase(async (db) => {
      const { receive, chat } = open(db);
      const { result } = await receive(command(text, user));
      expect(result).toMatchObject({ status: "refused" });
      expect(await listRuns(db, 9)).toEqual([]);
      expect(await audit(db)).toEqual([audited]);
      expect(chat.posts).toMatchObject([{ channel: "C1", message: { title: `Not run: ${text}` } }]);
      expect(chat.posts[0]?.message.text).toContain(words);
    }),
  );

  test("that needs a second person is refused honestly", () =>
    withDatabase(async (db) => {
      const people = [{ ...ACCESS.people[0]!, role: "admin" as const }];
      const { receive } = open(db, { access: { ...ACCESS, people } });
      const { result } = await receive(command("drop-it"));
      expect(result).toMatchObject({
        status: "refused",
        outcome: expect.stringContaining("approvals are not available yet, so it was not run"),
      });
      expect(await listRuns(db, 9)).toEqual([]);
    }));

  test("typed twice by an impatient person is one run", () =>
    withDatabase(async (db) => {
      const { receive, chat } = open(db);
      await receive(command("fix-it"));
      const { result } = await receive(command("fix-it"));
      expect(result).toMatchObject({
        status: "ignored",
        outcome: "the same is already queued as run-1, asked by ann",
      });
      expect(await listRuns(db, 9)).toHaveLength(1);
      expect(chat.posts).toHaveLength(1);
    }));

  test("whose job runs twice is one run", () =>
    withDatabase(async (db) => {
      const { receive, handle } = open(db);
      const { id } = await receive(command("fix-it"));
      await handle(id);
      expect(await listRuns(db, 9)).toHaveLength(1);
    }));

  test("refused while Slack is down is told when Slack is back, and decided once", () =>
    withDatabase(async (db) => {
      const { receive, handle, chat } = open(db);
      chat.isDown = true;
      await expect(receive(command("fix-it", "UVIC"))).rejects.toMatchObject({ kind: "transient" });
      chat.isDown = false;
      await handle(1);
      expect(chat.posts).toHaveLength(1);
      expect(await audit(db)).toEqual(["vic run.refused"]);
    }));

  test("a button decides nothing, and says so", () =>
    withDatabase(async (db) => {
      const { receive, chat } = open(db);
      const body = { team: "T1", user: "UANN", channel: "C1", actions: [] };
      const { result } = await receive({ ...command(""), eventType: "block_actions", body });
      expect(result).toMatchObject({ status: "ignored" });
      expect(chat.posts[0]?.message.text).toContain("approvals are not available");
    }));
});

describe("an incident", () => {
  test("that an automation is meant for starts its runbook as the service", () =>
    withDatabase(async (db) => {
      const { receive } = open(db);
      const { result } = await receive(incident("Q1"));
      expect(result).toEqual({ status: "handled", outcome: "queued as run-1" });
      expect(await listRuns(db, 9)).toMatchObject([
        {
          runbook: "fix-it",
          actor: "service:pagerduty",
          door: "pagerduty",
          params: { note: "by itself" },
          automation: "backlog",
          incidentId: "Q1",
          chat: { channel: "#ops" },
        },
      ]);
    }));

  test.each([
    ["nobody is meant for", incident("Q1", { title: "Disk full" }), "no automation is meant"],
    [
      "is only about a note",
      { ...incident("Q1"), eventType: "incident.annotated" },
      "starts nothing",
    ],
  ])("that %s starts nothing", (_what, event, outcome) =>
    withDatabase(async (db) => {
      const { receive, incidents } = open(db);
      const { result } = await receive(event);
      expect(result).toMatchObject({
        status: "ignored",
        outcome: expect.stringContaining(outcome),
      });
      expect(await listRuns(db, 9)).toEqual([]);
      expect(incidents.notes).toEqual([]);
    }),
  );

  test("triggered twice by two subscriptions starts one run", () =>
    withDatabase(async (db) => {
      const { receive, incidents } = open(db);
      await receive(incident("Q1"));
      const { result } = await receive(incident("Q1"));
      expect(result).toMatchObject({
        status: "ignored",
        outcome: expect.stringContaining("run-1"),
      });
      expect(await listRuns(db, 9)).toHaveLength(1);
      expect(incidents.notes).toEqual([]);
    }));

  test("in a storm does not start a run each: the rest are told that a person is needed", () =>
    withDatabase(async (db) => {
      const { receive, incidents } = open(db);
      await Promise.all(["Q1", "Q2", "Q3", "Q4"].map((id) => receive(incident(id))));
      expect(await listRuns(db, 9)).toHaveLength(1);
      expect(incidents.notes).toHaveLength(3);
      expect(incidents.notes[0]?.text).toMatch(/^No runbook was started.* A person is needed\.$/);
      expect(await audit(db)).toHaveLength(4);
    }));

  test("within the cool-down of an ended run starts nothing", () =>
    withDatabase(async (db) => {
      const { receive } = open(db);
      await receive(incident("Q1"));
      await db.query("UPDATE control.run SET status = 'succeeded'");
      const { result } = await receive(incident("Q2"));
      expect(result).toMatchObject({ outcome: expect.stringContaining("it may run once in 1m") });
      await db.query("UPDATE control.run SET requested_at = now() - interval '61 seconds'");
      expect((await receive(incident("Q3"))).result).toMatchObject({ status: "handled" });
    }));

  test("starts nothing that changes anything while policies need no review, and its note says so", () =>
    withDatabase(async (db) => {
      const { receive, incidents } = open(db, {}, "acme/policies");
      expect((await receive(incident("Q1"))).result).toMatchObject({ status: "refused" });
      expect(incidents.notes[0]?.text).toContain("branch protection of acme/policies");
      expect(await listRuns(db, 9)).toEqual([]);
    }));

  test("whose automation may not run its runbook is refused and noted", () =>
    withDatabase(async (db) => {
      const rules = ACCESS.rules.map((rule) => ({ ...rule, doors: ["slack"] as const }));
      const { receive, incidents } = open(db, { access: { ...ACCESS, rules } });
      expect((await receive(incident("Q1"))).result).toMatchObject({ status: "refused" });
      expect(incidents.notes).toHaveLength(1);
      expect(await audit(db)).toEqual(["service:pagerduty run.refused"]);
    }));

  test("whose runbook is only planned starts nothing, and says so", () =>
    withDatabase(async (db) => {
      const { receive } = open(db, { runbooks: { "fix-it": "planned" } });
      expect((await receive(incident("Q1"))).result).toMatchObject({
        status: "refused",
        outcome: expect.stringContaining("there is no runbook fix-it yet"),
      });
    }));
});
