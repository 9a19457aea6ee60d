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

  test("in a storm does not start a run each: the rest join the first, and are told when it has ended", () =>
    withDatabase(async (db) => {
      const { receive, incidents } = open(db);
      const all = await Promise.all(["Q1", "Q2", "Q3", "Q4"].map((id) => receive(incident(id))));
      expect(await listRuns(db, 9)).toHaveLength(1);
      const folded = all.filter(({ result }) => JSON.stringify(result).includes("folded: run-1 "));
      expect(folded).toHaveLength(3);
      expect(incidents.notes).toEqual([]);
      expect(await audit(db)).toHaveLength(4);
    }));

  test("within the cool-down of an ended run starts nothing, and its note says that a person is needed", () =>
    withDatabase(async (db) => {
      const { receive, incidents } = open(db);
      await receive(incident("Q1"));
      const end = (ago: string) =>
        db.query(
          `UPDATE control.run SET status = 'succeeded', started_at = now(), ended_at = now() - interval '${ago}'`,
        );
      await end("0 s");
      const { result } = await receive(incident("Q2"));
      expect(result).toMatchObject({
        outcome: expect.stringContaining("the next run may follow after 1m"),
      });
      expect(incidents.notes[0]?.text).toMatch(/^No runbook was started.* A person is needed\.$/);
      await end("61 s");
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
