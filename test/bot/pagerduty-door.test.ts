/** The PagerDuty door as the outside sees it, on a real database: what is kept, what is answered, what changes nothing. */
import Fastify, { type FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { hmacSha256 } from "../../src/base/secret.js";
import { routes } from "../../src/bot/routes.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRegistry, makeRunbook } from "../support/runbook-world.js";

const PAGERDUTY_SECRETS = ["new-secret", "old-secret"];
const registry = makeRegistry(makeRunbook("fix-it"));

async function openDoors(
  db: Database,
  more: { pagerdutySecrets?: string[] } = {},
): Promise<FastifyInstance> {
  const app = Fastify();
  await routes(app, {
    db,
    registry,
    clock: systemClock,
    log: silentLogger,
    slackSigningSecret: null,
    pagerdutySecrets: PAGERDUTY_SECRETS,
    ...more,
  });
  return app;
}

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
beforeEach(() =>
  lent.db.query(
    "TRUNCATE control.inbound, control.run, public.jobs, public.audit_log RESTART IDENTITY CASCADE",
  ),
);

async function withDoors(check: (app: FastifyInstance, db: Database) => Promise<void>) {
  const app = await openDoors(lent.db);
  await check(app, lent.db);
  await app.close();
}

/** As the doors see it when the server is gone. */
async function withoutDatabase(check: (app: FastifyInstance) => Promise<void>) {
  const gone = openDatabase({
    url: "postgres://nobody@127.0.0.1:1/none",
    poolMax: 1,
    applicationName: "test",
    ssl: false,
  });
  const app = await openDoors(gone);
  await check(app);
  await app.close();
  await gone.close();
}

const EVENT = {
  event: {
    id: "01GEXAMPLE",
    event_type: "incident.triggered",
    resource_type: "incident",
    agent: null,
    data: {
      id: "Q1ALGO",
      type: "incident",
      title: "Queue depth high – zażółć",
      incident_key: "algobrain/queue-depth-high",
      html_url: "https://example.pagerduty.com/incidents/Q1ALGO",
    },
  },
};

function pagerduty(
  app: FastifyInstance,
  event: object,
  options: { webhookId?: string; secrets?: string[]; body?: string; header?: string } = {},
) {
  const body = options.body ?? JSON.stringify(event);
  const secrets = options.secrets ?? ["old-secret"];
  const signatures = secrets.map((secret) => `v1=${hmacSha256(secret, body).toString("hex")}`);
  return app.inject({
    method: "POST",
    url: "/webhooks/pagerduty",
    headers: {
      "content-type": "application/json",
      "x-webhook-id": options.webhookId ?? "webhook-1",
      "x-pagerduty-signature": options.header ?? signatures.join(","),
    },
    payload: body,
  });
}

/** Everything that a request could have changed. */
async function countRows(db: Database): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT (SELECT count(*) FROM control.inbound) + (SELECT count(*) FROM control.run)
          + (SELECT count(*) FROM jobs) + (SELECT count(*) FROM audit_log) AS count`,
  );
  return rows[0]!.count;
}

async function inboundRows(db: Database) {
  const { rows } = await db.query<{
    status: string;
    event_type: string;
    body: object;
    job_seq: number;
  }>("SELECT status, event_type, body, job_seq FROM control.inbound ORDER BY id");
  return rows;
}

describe("the PagerDuty door", () => {
  test("keeps an incident with its job and answers 202", () =>
    withDoors(async (app, db) => {
      const reply = await pagerduty(app, EVENT);
      expect(reply.statusCode).toBe(202);
      expect(await inboundRows(db)).toMatchObject([
        {
          status: "received",
          body: { incidentId: "Q1ALGO", incidentKey: "algobrain/queue-depth-high" },
          job_seq: expect.any(Number),
        },
      ]);
    }));

  test("one of several signatures is enough", () =>
    withDoors(async (app) => {
      const reply = await pagerduty(app, EVENT, { secrets: ["unknown", "new-secret"] });
      expect(reply.statusCode).toBe(202);
    }));

  test("a delivery that comes again is kept once", () =>
    withDoors(async (app, db) => {
      for (let i = 0; i < 3; i++) expect((await pagerduty(app, EVENT)).statusCode).toBe(202);
      expect(await inboundRows(db)).toHaveLength(1);
      expect((await db.query("SELECT 1 FROM jobs")).rowCount).toBe(1);
    }));

  test.each([
    ["run-17 ended\n\nrun-17:succeeded", "a note of our own starts nothing"],
    ["please look at run-17", "incident.annotated starts nothing"],
  ])("a note %j is kept with whose it is", (content, outcome) =>
    withDoors(async (app, db) => {
      const data = { id: "N1", type: "incident_note", content, incident: { id: "Q1" } };
      const agent = { id: "PUSR001", type: "user_reference" };
      const event = { id: "e", event_type: "incident.annotated", agent, data };
      expect((await pagerduty(app, { event })).statusCode).toBe(202);
      const { rows } = await db.query("SELECT status, outcome, body FROM control.inbound");
      const body = { incidentId: "Q1", agent: "user_reference PUSR001" };
      expect(rows).toMatchObject([{ status: "ignored", outcome, body }]);
      // What people write on their incidents is not ours to keep.
      expect(JSON.stringify(rows)).not.toContain(content.slice(0, 8));
    }),
  );

  test.each([
    [
      "our own note coming back",
      { event: { id: "e", event_type: "incident.annotated", data: {} } },
    ],
    ["a ping", { event: { id: "e", event_type: "pagey.ping", data: {} } }],
    ["an event type of next year", { event: { id: "e", event_type: "incident.teleported" } }],
  ])("%s is authentic and unwanted: 202, and nobody acts on it", (_what, event) =>
    withDoors(async (app, db) => {
      expect((await pagerduty(app, event)).statusCode).toBe(202);
      expect(await inboundRows(db)).toMatchObject([{ status: "ignored", job_seq: null }]);
      expect((await db.query("SELECT 1 FROM jobs")).rowCount).toBe(0);
    }),
  );

  test.each(["no json", "[]", '{"event":1}', '{"event":{"data":{}}}', ""])(
    "an authentic body %j is no reason for a 4xx",
    (body) =>
      withDoors(async (app, db) => {
        expect((await pagerduty(app, {}, { body })).statusCode).toBe(202);
        expect(await countRows(db)).toBe(0);
      }),
  );

  test("text that a row cannot hold is kept without it", () =>
    withDoors(async (app, db) => {
      const event = structuredClone(EVENT);
      event.event.data.title = "a\0b\uD800c";
      expect((await pagerduty(app, event)).statusCode).toBe(202);
      expect(await inboundRows(db)).toMatchObject([{ body: { title: "ab\uFFFDc" } }]);
    }));

  test.each<[string, object]>([
    ["signed with another secret", { secrets: ["guessed"] }],
    ["without a signature", { header: "" }],
    ["with another version", { header: `v2=${"a".repeat(64)}` }],
  ])("an event %s is refused with 401 and changes nothing", (_what, options) =>
    withDoors(async (app, db) => {
      const reply = await pagerduty(app, EVENT, options);
      expect(reply.statusCode).toBe(401);
      expect(reply.json()).toMatchObject({ code: "signature-invalid" });
      expect(await countRows(db)).toBe(0);
    }),
  );

  test("with the database gone it asks for another delivery with 503", () =>
    withoutDatabase(async (app) => {
      const reply = await pagerduty(app, EVENT);
      expect(reply.statusCode).toBe(503);
      expect(reply.headers["retry-after"]).toBe("5");
    }));

  test("without a secret it says so with 503", async () => {
    const app = await openDoors(lent.db, { pagerdutySecrets: [] });
    expect((await pagerduty(app, EVENT)).statusCode).toBe(503);
    await app.close();
  });
});
