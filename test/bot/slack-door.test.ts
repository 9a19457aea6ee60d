/** The Slack door as the outside sees it, on a real database: what is kept, what is answered, what changes nothing. */
import Fastify, { type FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { hmacSha256 } from "../../src/base/secret.js";
import type { DoorDeps } from "../../src/bot/deps.js";
import { routes } from "../../src/bot/routes.js";
import type { JournalEntry } from "../../src/runbook/journal.js";
import type { StopSwitchPort } from "../../src/runbook/stop.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { ACCESS, makeRegistry, makeRunbook } from "../support/runbook-world.js";

const SLACK_SECRET = "slack-signing-secret";
const registry = makeRegistry(makeRunbook("fix-it"));

async function openDoors(db: Database, more: Partial<DoorDeps> = {}): Promise<FastifyInstance> {
  const app = Fastify();
  await routes(app, {
    db,
    registry,
    clock: systemClock,
    log: silentLogger,
    slackSigningSecret: SLACK_SECRET,
    pagerdutySecrets: [],
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
async function withoutDatabase(
  check: (app: FastifyInstance) => Promise<void>,
  more: Partial<DoorDeps> = {},
) {
  const gone = openDatabase({
    url: "postgres://nobody@127.0.0.1:1/none",
    poolMax: 1,
    applicationName: "test",
    ssl: false,
  });
  const app = await openDoors(gone, more);
  await check(app);
  await app.close();
  await gone.close();
}

const COMMAND = {
  team_id: "T1",
  user_id: "UANN",
  user_name: "ann",
  channel_id: "C1",
  command: "/algobrain",
  text: "fix-it now",
  token: "deprecated-token",
  response_url: "https://hooks.slack.com/commands/T1/secret",
  trigger_id: "13345224609.738474920.8088930838d88f008e0",
};

interface SlackOptions {
  readonly url?: string;
  readonly body?: string;
  readonly timestamp?: number;
  readonly secret?: string;
  readonly headers?: Record<string, string>;
}

function slack(app: FastifyInstance, form: Record<string, string>, options: SlackOptions = {}) {
  const body = options.body ?? new URLSearchParams(form).toString();
  const timestamp = String(options.timestamp ?? nowS());
  const signature = hmacSha256(options.secret ?? SLACK_SECRET, `v0:${timestamp}:${body}`);
  return app.inject({
    method: "POST",
    url: options.url ?? "/slack/commands",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-slack-request-timestamp": timestamp,
      "x-slack-signature": `v0=${signature.toString("hex")}`,
      ...options.headers,
    },
    payload: body,
  });
}

const nowS = () => Math.floor(systemClock.now().getTime() / 1_000);

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

describe("the Slack door", () => {
  test("keeps a command with its job and says that it is at work", () =>
    withDoors(async (app, db) => {
      const reply = await slack(app, COMMAND);
      expect(reply.statusCode).toBe(200);
      expect(reply.json()).toMatchObject({ response_type: "ephemeral" });
      expect(reply.body).toContain("Working on it: fix-it now");
      const [row] = await inboundRows(db);
      expect(row).toMatchObject({
        status: "received",
        event_type: "slash_command",
        body: { team: "T1", user: "UANN", channel: "C1", text: "fix-it now" },
      });
      const { rows } = await db.query("SELECT job_type, payload FROM jobs WHERE seq = $1", [
        row?.job_seq,
      ]);
      expect(rows).toEqual([{ job_type: "inbound", payload: { inbound_id: 1 } }]);
    }));

  test("keeps none of Slack's secrets", () =>
    withDoors(async (app, db) => {
      await slack(app, COMMAND);
      const { rows } = await db.query<{ all: string }>(
        `SELECT (SELECT string_agg(i::text, '') FROM control.inbound i) || (SELECT string_agg(j::text, '') FROM jobs j) AS all`,
      );
      for (const secret of [COMMAND.token, COMMAND.response_url, COMMAND.trigger_id])
        expect(rows[0]?.all).not.toContain(secret);
    }));

  test("a command that comes twice is kept once", () =>
    withDoors(async (app, db) => {
      await slack(app, COMMAND);
      const again = await slack(app, COMMAND);
      expect(again.body).toContain("Already here");
      expect(await inboundRows(db)).toHaveLength(1);
      expect((await db.query("SELECT 1 FROM jobs")).rowCount).toBe(1);
      await slack(app, { ...COMMAND, trigger_id: "another" });
      expect(await inboundRows(db)).toHaveLength(2);
    }));

  test.each([
    ["help", "AlgoBrain commands"],
    ["", "AlgoBrain commands"],
    ["fix-itt", "did you mean"],
    ["fix-it --loud yes", "no parameter"],
  ])("%j is answered on the spot and leaves no row", (text, words) =>
    withDoors(async (app, db) => {
      const reply = await slack(app, { ...COMMAND, text });
      expect(reply.statusCode).toBe(200);
      expect(reply.json()).toMatchObject({ response_type: "ephemeral" });
      expect(reply.body).toContain(words);
      expect(await countRows(db)).toBe(0);
    }),
  );

  test("with the database gone it says that nothing was done", () =>
    withoutDatabase(async (app) => {
      const reply = await slack(app, COMMAND);
      expect(reply.statusCode).toBe(200);
      expect(reply.body).toContain("Nothing was done");
    }));

  test.each<[string, SlackOptions]>([
    ["signed with another secret", { secret: "guessed" }],
    ["six minutes old", { timestamp: nowS() - 360 }],
    ["six minutes in the future", { timestamp: nowS() + 360 }],
    ["without a signature", { headers: { "x-slack-signature": "" } }],
    ["with upper-case hex", { headers: { "x-slack-signature": `v0=${"A".repeat(64)}` } }],
    ["with another version", { headers: { "x-slack-signature": `v1=${"a".repeat(64)}` } }],
    ["to the buttons", { url: "/slack/interactions", secret: "guessed" }],
  ])("a request %s is refused with 401 and changes nothing", (_what, options) =>
    withDoors(async (app, db) => {
      const reply = await slack(app, COMMAND, options);
      expect(reply.statusCode).toBe(401);
      expect(reply.headers["content-type"]).toContain("application/problem+json");
      expect(reply.json()).toMatchObject({ code: "signature-invalid", status: 401 });
      expect(await countRows(db)).toBe(0);
    }),
  );

  test("a body that was changed on the way is refused", () =>
    withDoors(async (app, db) => {
      const body = new URLSearchParams(COMMAND).toString();
      const timestamp = String(nowS());
      const signature = hmacSha256(SLACK_SECRET, `v0:${timestamp}:${body}`).toString("hex");
      const headers = {
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": `v0=${signature}`,
      };
      const reply = await slack(app, COMMAND, { body: body.replace("now", "not"), headers });
      expect(reply.statusCode).toBe(401);
      expect(await countRows(db)).toBe(0);
    }));

  test("a request without any body is refused", () =>
    withDoors(async (app) => {
      expect((await app.inject({ method: "POST", url: "/slack/commands" })).statusCode).toBe(401);
    }));

  test("a button is kept and acknowledged", () =>
    withDoors(async (app, db) => {
      const payload = JSON.stringify({
        type: "block_actions",
        team: { id: "T1" },
        user: { id: "UANN", username: "ann" },
        channel: { id: "C1" },
        trigger_id: "trigger-2",
        response_url: "https://hooks.slack.com/actions/secret",
        actions: [{ action_id: "approve", value: "run-1" }],
      });
      const reply = await slack(app, { payload }, { url: "/slack/interactions" });
      expect(reply.statusCode).toBe(200);
      expect(await inboundRows(db)).toMatchObject([
        { event_type: "block_actions", body: { actions: [{ action: "approve", value: "run-1" }] } },
      ]);
    }));

  test("without a secret it says so with 503", async () => {
    const app = await openDoors(lent.db, { slackSigningSecret: null });
    const reply = await slack(app, COMMAND);
    expect(reply.statusCode).toBe(503);
    expect(reply.json()).toMatchObject({ code: "not-configured" });
    await app.close();
  });
});

describe("with the database away", () => {
  /** What a journal of this machine was given; `full` refuses all. */
  function makeJournal(full = false) {
    const entries: JournalEntry[] = [];
    const append = async (entry: JournalEntry) => {
      if (full) throw new Error("no space left on the volume");
      const isKnown = entries.some(({ key }) => key === entry.key);
      if (!isKnown) entries.push(entry);
      return isKnown ? ("known" as const) : ("kept" as const);
    };
    return { entries, append, pending: () => entries.length };
  }

  test("a command is kept in the journal, once, without Slack's secrets, and the answer says so", async () => {
    const journal = makeJournal();
    const check = async (app: FastifyInstance) => {
      const reply = await slack(app, COMMAND);
      expect([reply.statusCode, reply.body.includes("Kept on this machine")]).toEqual([200, true]);
      await slack(app, COMMAND);
    };
    await withoutDatabase(check, { journal });
    expect(journal.entries).toMatchObject([
      {
        kind: "inbound",
        source: "slack",
        eventType: "slash_command",
        body: { text: "fix-it now" },
      },
    ]);
    const kept = JSON.stringify(journal.entries);
    for (const secret of [COMMAND.token, COMMAND.response_url, COMMAND.trigger_id])
      expect(kept).not.toContain(secret);
  });

  test("and no room in the journal, it says that nothing was done", () =>
    withoutDatabase(
      async (app) => expect((await slack(app, COMMAND)).body).toContain("Nothing was done"),
      { journal: makeJournal(true) },
    ));

  test("a database that does not answer holds up no answer: the journal keeps it as well", async () => {
    const journal = makeJournal();
    const hanging = { ...lent.db, transaction: () => new Promise<never>(() => {}) };
    const soon = { ...systemClock, sleep: async () => {} };
    const app = await openDoors(hanging, { journal, clock: soon });
    expect((await slack(app, COMMAND)).body).toContain("Kept on this machine");
    expect(journal.entries).toHaveLength(1);
    await app.close();
  });
});

describe("the order to stop", () => {
  function makeStop(): StopSwitchPort & { readonly orders: string[] } {
    const orders: string[] = [];
    return {
      orders,
      read: async () => null,
      readLocal: () => null,
      set: async ({ by, reason }) => {
        orders.push(`${by}: ${reason}`);
        return { file: true, database: false };
      },
      clear: async () => ({ file: true, database: true }),
    };
  }
  const policy = () => makePolicy({ access: ACCESS });
  const stopping = { ...COMMAND, text: "stop it burns" };

  test("is carried out at the door, also with the database gone, and says whom it does not reach", async () => {
    const stop = makeStop();
    const check = async (app: FastifyInstance) => {
      const reply = await slack(app, stopping);
      expect(reply.body).toContain("All runbooks stop, by ann: it burns");
      expect(reply.body).toContain("other machines do not know it yet");
    };
    await withoutDatabase(check, { stop, policy });
    expect(stop.orders).toEqual(["ann: it burns"]);
  });

  test("that comes twice is carried out once, and is on record", async () => {
    const stop = makeStop();
    const app = await openDoors(lent.db, { stop, policy });
    await slack(app, stopping);
    expect((await slack(app, stopping)).body).toContain("Already here");
    expect(stop.orders).toHaveLength(1);
    expect(await inboundRows(lent.db)).toMatchObject([{ status: "ignored", job_seq: null }]);
    await app.close();
  });

  test.each([
    ["UVIC", "needs the role operator"],
    ["USTRANGER", "Nobody in access.yaml"],
  ])("of %s stops nothing", async (user, words) => {
    const stop = makeStop();
    const app = await openDoors(lent.db, { stop, policy });
    expect((await slack(app, { ...stopping, user_id: user })).body).toContain(words);
    expect(stop.orders).toEqual([]);
    await app.close();
  });
});
