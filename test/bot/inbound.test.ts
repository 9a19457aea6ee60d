/** From a kept event to a run or a refusal: who asked, may they, is the automation within its guards. */
import { describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import { createInboundHandler } from "../../src/bot/inbound.js";
import type { Automation, PolicySet } from "../../src/policy/policy.js";
import type { IncidentAlert } from "../../src/runbook/port.js";
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

const from = (name: string) => `\${${name}}`;

let deliveries = 0;
const incident = (incidentId: string, more: JsonObject = {}): NewInbound => ({
  source: "pagerduty",
  deliveryId: `webhook-${++deliveries}`,
  eventType: "incident.triggered",
  body: {
    eventId: `event-${deliveries}`,
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

  test("of which the same event comes twice, by two subscriptions, counts the first alone, whoever is judged first", () =>
    withDatabase(async (db) => {
      const { handle } = open(db);
      const keep = () =>
        db.transaction((tx) => recordInbound(tx, incident("Q1", { eventId: "01SAME" })));
      const [first, second] = [await keep(), await keep()];
      expect(await handle(second.id)).toEqual({
        status: "ignored",
        outcome: `the same event came before, as inbound event ${first.id}`,
      });
      expect(await handle(first.id)).toMatchObject({ status: "handled" });
      expect(await listRuns(db, 9)).toHaveLength(1);
    }));

  test("says to the runbook's parameters what it is about, and the details of its alerts that all agree on", () =>
    withDatabase(async (db) => {
      const of = (note: string) => [{ ...AUTOMATION, params: { note } }];
      const told = async (note: string, id: string, alerts: readonly IncidentAlert[]) => {
        const { receive, incidents } = open(db, { automation: of(note) });
        const asked: string[] = [];
        incidents.alerts = async (incidentId) => {
          asked.push(incidentId);
          return alerts;
        };
        const { result } = await receive(incident(id));
        await db.query("UPDATE control.run SET status = 'succeeded', ended_at = now()");
        const [run] = await listRuns(db, 1);
        return { result, asked, note: run?.incidentId === id ? run.params.note : null };
      };
      const alert = (kind: string): IncidentAlert => ({
        ...{ summary: "Queue depth high", severity: "error" },
        details: { severity: "sev2", labels: { kind } },
      });
      expect(await told(from("incident.id"), "Q1", [])).toMatchObject({ note: "Q1", asked: [] });
      expect(
        await told(from("alert.labels.kind"), "Q2", [alert("index"), alert("index")]),
      ).toMatchObject({
        ...{ note: "index", asked: ["Q2"] },
      });
      for (const alerts of [[], [alert("index"), alert("score")], [alert("a\u0000b")]])
        expect(await told(from("alert.labels.kind"), `Q3${alerts.length}`, alerts)).toMatchObject({
          note: null,
          result: { outcome: expect.stringContaining(`note: ${from("alert.labels.kind")}`) },
        });
    }));

  test("that is a word of our own about a run starts nothing", () =>
    withDatabase(async (db) => {
      const { receive } = open(db);
      const { result } = await receive(incident("Q1", { incidentKey: "algobrain/run-7/undo" }));
      expect(result).toMatchObject({ status: "refused" });
      expect(await listRuns(db, 9)).toEqual([]);
    }));

  test.each<[string, JsonObject, string]>([
    ["waited for a worker", {}, "2 minutes"],
    ["waited in a journal", { occurredAt: "2020-01-01T00:00:00Z" }, "0 s"],
  ])(
    "that %s is asked about at PagerDuty, and one that is over starts nothing",
    (_how, more, ago) =>
      withDatabase(async (db) => {
        const { handle, incidents } = open(db);
        incidents.status = async () => "resolved";
        const { id } = await db.transaction((tx) => recordInbound(tx, incident("Q1", more)));
        await db.query("UPDATE control.inbound SET received_at = now() - $1::interval", [ago]);
        expect(await handle(id)).toMatchObject({
          ...{ status: "ignored", outcome: "the incident was resolved before we came to it" },
        });
      }),
  );

  test("whose alerts cannot be fetched waits, and starts nothing half known", () =>
    withDatabase(async (db) => {
      const params = { note: from("alert.labels.kind") };
      const { receive, incidents, handle } = open(db, { automation: [{ ...AUTOMATION, params }] });
      incidents.alerts = async () => {
        throw fault.transient("PAGERDUTY_FAILED", "it answered 500");
      };
      await expect(receive(incident("Q1"))).rejects.toMatchObject({ code: "PAGERDUTY_FAILED" });
      expect(await listRuns(db, 9)).toEqual([]);
      incidents.alerts = async () => [
        { summary: "", severity: null, details: { labels: { kind: "index" } } },
      ];
      const { rows } = await db.query<{ id: number }>("SELECT id FROM control.inbound");
      expect(await handle(rows[0]!.id)).toMatchObject({ status: "handled" });
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
      expect(incidents.notes[0]?.text).toMatch(
        /^No runbook was started.* A person is needed\.\nState: nothing was changed.*\nNext: \/algobrain fix-it --dry-run$/,
      );
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
