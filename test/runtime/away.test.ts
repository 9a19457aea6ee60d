/**
 * Each cell of the table "When something is away" (docs/operating.md): the flow is tried with that system gone, by
 * the real driver or adapter on an address where nobody answers, and what it comes to must be what the page says.
 */
import { createHmac, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Fastify from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Notifier } from "../../src/alert/port.js";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { createInboundHandler } from "../../src/bot/inbound.js";
import { keepPagerDutyEvent } from "../../src/bot/pagerduty-door.js";
import { routes as doorRoutes } from "../../src/bot/routes.js";
import { runOffline } from "../../src/cli/offline-run.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { PolicySet, Receiver } from "../../src/policy/policy.js";
import { chatPosterTicks } from "../../src/runtime/chat-poster.js";
import { directPageTick } from "../../src/runtime/direct-page.js";
import { createNoticeHandler } from "../../src/runtime/handler/notice.js";
import { FileJournal } from "../../src/runtime/journal.js";
import { openJournalFiles } from "../../src/runtime/journal-files.js";
import { replayJournal } from "../../src/runtime/replay-journal.js";
import { createStopSwitch } from "../../src/runtime/stop-file.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { recordInbound } from "../../src/store/inbound.js";
import { enqueueNotice, readNotice } from "../../src/store/notices.js";
import { readRun } from "../../src/store/runs.js";
import { isWritable } from "../../src/store/server.js";
import { keepGithubDelivery } from "../../src/web/route/github.js";
import { createServer } from "../../src/web/server.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeContext } from "../support/job-context.js";
import { DEAD_URL, openChat, openIncidents, openNotifiers } from "../support/lost-systems.js";
import { makeNotice } from "../support/make-notice.js";
import { makeGuard, makePolicy, makeReceiver } from "../support/make-policy.js";
import { CELLS, FLOWS, type Flow, LOST, type Lost, type Outcome } from "../support/outage.js";
import {
  ACCESS,
  makeLiveContext,
  makeRegistry,
  makeRunbook,
  queueRun,
  workOn,
} from "../support/runbook-world.js";
import { GITHUB_SECRET, makeDeps } from "../web/harness.js";
import { testKinds } from "../web/kinds.js";

const PACKAGE_ROOT = fileURLToPath(new URL("../..", import.meta.url));
const never = new AbortController().signal;
const SLACK_SECRET = "slack-signing-secret";
const PAGERDUTY_SECRET = "pagerduty-secret";
const DEAD_DATABASE = "postgres://nobody@127.0.0.1:1/none";

const RECEIVERS: Readonly<Record<string, Receiver>> = {
  ops: makeReceiver("ops", { kind: "slack", channel: "#ops" }, { perMinuteMax: 60 }),
  pagerduty: makeReceiver("pagerduty", { kind: "pagerduty" }, { perMinuteMax: 60 }),
};
const BASE = makePolicy();
const POLICY: PolicySet = makePolicy({
  access: ACCESS,
  routes: {
    ...BASE.routes,
    receivers: RECEIVERS,
    runtimeReceivers: { critical: ["pagerduty", "ops"], operator: ["ops"] },
  },
  automation: [
    {
      name: "backlog",
      when: { on: "incident", titleIncludes: "queue", dedupKeyPrefix: null },
      runbook: "fix-it",
      params: {},
      guard: makeGuard({ cooldownMs: 0, perHourMax: 100 }),
      trust: { level: "auto", because: "a test" },
    },
  ],
});

let lent: TestDatabase;
let readOnly: Database;
let dead: Database;
let home: string;

const openAt = (url: string) =>
  openDatabase({ url, poolMax: 2, applicationName: "test-away", ssl: false });
/** As after a fail-over that left us at a standby: every write is refused by the server itself (25006). */
const readOnlyUrl = () => `${lent.url}?options=-c%20default_transaction_read_only%3Don`;

beforeAll(async () => {
  lent = await createTestDatabase();
  readOnly = openAt(readOnlyUrl());
  dead = openAt(DEAD_DATABASE);
});
afterAll(async () => {
  await Promise.all([readOnly.close(), dead.close()]);
  await lent.drop();
});
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "algobrain-away-"));
  await lent.db.query(
    `TRUNCATE control.inbound, control.run, control.run_step, control.chat_post, control.notice, control.journal_entry, public.jobs
     RESTART IDENTITY CASCADE;
     UPDATE control.stop_switch SET active = false, reason = NULL, by = NULL, at = NULL`,
  );
});
afterEach(() => rm(home, { recursive: true, force: true }));

function databaseWithout(lost: Lost): Database {
  if (lost === "Postgres down") return dead;
  return lost === "Postgres read-only" ? readOnly : lent.db;
}

const registry = makeRegistry(makeRunbook("fix-it"));

async function withJournal<T>(work: (journal: FileJournal) => Promise<T>): Promise<T> {
  const files = openJournalFiles(join(home, "journal"));
  const journal = new FileJournal({ files, clock: systemClock, log: silentLogger, pid: 1 });
  try {
    return await work(journal);
  } finally {
    await journal.close();
  }
}

const countRows = async (table: string) =>
  (await lent.db.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]!.n;

async function isCarriedOverOnce(): Promise<boolean> {
  const deps = {
    ...{ files: openJournalFiles(join(home, "journal")), db: lent.db, log: silentLogger },
    host: "test",
    takeInbound: (async (tx, entry) => {
      if (entry.source === "pagerduty") return keepPagerDutyEvent(tx, entry);
      if (entry.source === "github") return keepGithubDelivery(tx, entry, testKinds);
      return (await recordInbound(tx, entry)).fresh ? "kept" : "known";
    }) satisfies Parameters<typeof replayJournal>[0]["takeInbound"],
  };
  await replayJournal(deps, never);
  await replayJournal(deps, never);
  return (await countRows("control.inbound")) === 1 && (await countRows("public.jobs")) === 1;
}

/** Posts what a door of Slack or PagerDuty would get, with a signature that fits. */
async function knock(lost: Lost, journal: FileJournal, door: "slack" | "pagerduty") {
  const app = Fastify();
  await doorRoutes(app, {
    ...{ db: databaseWithout(lost), registry, clock: systemClock, log: silentLogger, journal },
    ...{ slackSigningSecret: SLACK_SECRET, pagerdutySecrets: [PAGERDUTY_SECRET] },
  });
  const reply = await app.inject(door === "slack" ? slackCommand() : pagerdutyEvent());
  await app.close();
  return reply;
}

const hmac = (secret: string, text: string) =>
  createHmac("sha256", secret).update(text).digest("hex");

function slackCommand() {
  const payload = new URLSearchParams({
    ...{ team_id: "T1", user_id: "UANN", channel_id: "C1", command: "/algobrain" },
    ...{ text: "fix-it now", trigger_id: randomUUID() },
  }).toString();
  const timestamp = String(Math.floor(systemClock.now().getTime() / 1_000));
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "x-slack-request-timestamp": timestamp,
    "x-slack-signature": `v0=${hmac(SLACK_SECRET, `v0:${timestamp}:${payload}`)}`,
  };
  return { method: "POST", url: "/slack/commands", payload, headers } as const;
}

function pagerdutyEvent() {
  const data = { id: "Q1", title: "queue depth high", incident_key: "k", html_url: null };
  const payload = JSON.stringify({
    event: { id: randomUUID(), event_type: "incident.triggered", data },
  });
  const headers = {
    "content-type": "application/json",
    "x-webhook-id": randomUUID(),
    "x-pagerduty-signature": `v1=${hmac(PAGERDUTY_SECRET, payload)}`,
  };
  return { method: "POST", url: "/webhooks/pagerduty", payload, headers } as const;
}

/** The job of the only row, as a worker would do it: the id of the run that came of it. */
async function actOnInbound(lost: Lost): Promise<string> {
  const [chat, incidents] = [openChat(lost), openIncidents(lost)];
  const deps = { db: lent.db, registry, policy: () => POLICY, chat, incidents, gitopsRepo: null };
  await createInboundHandler(deps).run(makeLiveContext({ inbound_id: 1 }));
  const { rows } = await lent.db.query<{ seq: number }>("SELECT seq FROM control.run");
  expect(rows).toHaveLength(1);
  return `run-${rows[0]!.seq}`;
}

/** Whether all that the run told was told; it must have come to its end in any case. */
async function workToTheEnd(lost: Lost, id: string): Promise<boolean> {
  const incidents = openIncidents(lost);
  const noted = await workOn({ db: lent.db, registry, incidents, policy: POLICY }, id).then(
    () => true,
    (thrown: { code?: string }) => {
      expect(thrown).toMatchObject({ code: "RUN_NOT_TOLD", kind: "waiting" });
      return false;
    },
  );
  expect((await readRun(lent.db, id))?.status).toBe("succeeded");
  const ticks = chatPosterTicks({
    ...{ db: lent.db, chat: openChat(lost), clock: systemClock, log: silentLogger },
  });
  await lent.db.query("UPDATE control.chat_post SET due_at = now()");
  for (const tick of ticks) await tick.run(systemClock.now(), never);
  const { rows } = await lent.db.query<{ state: string }>(
    "SELECT state FROM control.chat_post WHERE purpose = 'main'",
  );
  expect(rows.length).toBeGreaterThan(0);
  // Dead is what is never tried again.
  expect(rows.map(({ state }) => state)).not.toContain("dead");
  return noted && rows.every(({ state }) => state === "posted");
}

async function tryDoor(lost: Lost, door: "slack" | "pagerduty"): Promise<Outcome> {
  return withJournal(async (journal) => {
    const reply = await knock(lost, journal, door);
    expect(reply.statusCode).toBe(door === "slack" ? 200 : 202);
    if (journal.pending() === 1) {
      if (door === "slack") expect(reply.body).toContain("Kept on this machine");
      expect(await countRows("control.inbound")).toBe(0);
      expect(await isCarriedOverOnce()).toBe(true);
      return "kept-here";
    }
    if (door === "slack") expect(reply.body).toContain("Working on it");
    const id = await actOnInbound(lost);
    return (await workToTheEnd(lost, id)) ? "carried-out" : "told-later";
  });
}

async function tryGithub(lost: Lost): Promise<Outcome> {
  return withJournal(async (journal) => {
    const app = await createServer(makeDeps(databaseWithout(lost), { journal }));
    const payload = JSON.stringify({ ref: "refs/heads/main" });
    const headers = {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${hmac(GITHUB_SECRET, payload)}`,
    };
    const reply = await app.inject({ method: "POST", url: "/webhooks/github", payload, headers });
    await app.close();
    expect(reply.statusCode).toBe(202);
    if (reply.json().outcome === "journalled") {
      expect(await isCarriedOverOnce()).toBe(true);
      return "kept-here";
    }
    expect(reply.json().outcome).toBe("accepted");
    expect(await countRows("public.jobs")).toBe(1);
    return "carried-out";
  });
}

/** One step is done when the database goes; the next is under way. */
async function tryRun(lost: Lost): Promise<Outcome> {
  let isGone = false;
  const begun: string[] = [];
  const db = switching(lent.db, databaseWithout(lost), () => isGone);
  const losing = makeRegistry(
    makeRunbook("fix-it", {
      steps: [
        {
          name: "first",
          repeat: "never",
          run: async () => {
            begun.push("first");
            return "done";
          },
        },
        {
          name: "second",
          repeat: "safe",
          run: async () => {
            begun.push("second");
            isGone = begun.length === 2;
            return "done";
          },
        },
      ],
    }),
  );
  const chat = { channel: "C1", ts: null };
  const id = await queueRun(lent.db, losing, "fix-it", { chat, incidentId: "Q1" });
  const world = { registry: losing, incidents: openIncidents(lost), policy: POLICY };
  if (databaseWithout(lost) === lent.db)
    return (await workToTheEnd(lost, id)) ? "goes-on" : "noted-later";
  await expect(workOn({ ...world, db }, id)).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
  });
  expect((await readRun(lent.db, id))?.status).toBe("running");
  // Back again, when its lease has ended: another takes it.
  await lent.db.query("UPDATE control.run SET lease_until = now() - interval '1 minute'");
  await workOn({ ...world, db: lent.db }, id);
  expect(await readRun(lent.db, id)).toMatchObject({ status: "succeeded", fence: 2 });
  expect(begun).toEqual(["first", "second", "second"]);
  return "resumed";
}

function switching(here: Database, lost: Database, isGone: () => boolean): Database {
  const now = () => (isGone() ? lost : here);
  return {
    query: (...args) => now().query(...args),
    transaction: (work) => now().transaction(work),
    connect: (work) => now().connect(work),
    close: async () => {},
  };
}

async function tryPage(lost: Lost): Promise<Outcome> {
  const sent: string[] = [];
  const notifiers = openNotifiers(lost, sent);
  const db = databaseWithout(lost);
  if (db !== lent.db) return tryDirectPage(db, notifiers, sent);
  const handler = createNoticeHandler({ db, policy: () => POLICY, notifiers, random: () => 0.5 });
  const states: string[] = [];
  for (const receiver of ["pagerduty", "ops"]) {
    const id = await enqueueNotice(db, makeNotice({ receiver, severity: "sev1" }));
    const context = makeContext({ payload: { notice_id: id } });
    const now = () => systemClock.now();
    await handler.run({ ...context, now }).catch((thrown: { kind?: string }) => {
      expect(thrown.kind).toBe("waiting");
    });
    states.push((await readNotice(db, id))!.status);
  }
  if (states.every((state) => state === "sent")) return "outbox";
  // Never a dead letter while the other side may come back.
  expect(new Set(states)).toEqual(new Set(sent.length > 0 ? ["sent", "pending"] : ["pending"]));
  return sent.length > 0 ? "other-ways" : "waits";
}

async function tryDirectPage(
  db: Database,
  notifiers: ReadonlyMap<Receiver["kind"], Notifier>,
  sent: string[],
): Promise<Outcome> {
  let nowMs = systemClock.now().getTime();
  const clock: Clock = { ...systemClock, now: () => new Date(nowMs) };
  const tick = directPageTick({
    ...{ clock, log: silentLogger, policy: () => POLICY, notifiers, journal: null },
    probe: async () => ((await isWritable(db)) ? "writable" : "read-only"),
    noteFile: join(home, "database-down"),
  });
  for (; sent.length === 0; nowMs += 5_000) await tick.run(clock.now(), never);
  for (let look = 0; look < 5; look++, nowMs += 5_000) await tick.run(clock.now(), never);
  expect(sent).toEqual(["pagerduty trigger", "slack trigger"]);
  return "direct";
}

/** As configured everywhere, with the lost system at an address where nobody answers. */
function environmentWithout(lost: Lost): Record<string, string> {
  const base = {
    PATH: process.env.PATH ?? "",
    ALGOBRAIN_HOME: home,
    DATABASE_URL: lent.url,
  };
  switch (lost) {
    case "Postgres down":
      return { ...base, DATABASE_URL: DEAD_DATABASE };
    case "Postgres read-only":
      return { ...base, DATABASE_URL: readOnlyUrl() };
    case "Redis":
      return { ...base, REDIS_URL: "redis://127.0.0.1:1" };
    case "GitHub":
      return { ...base, GITHUB_TOKEN: "t", GITHUB_API_URL: DEAD_URL };
    case "PagerDuty":
      return { ...base, PAGERDUTY_TOKEN: "t", PAGERDUTY_API_URL: DEAD_URL };
    case "Slack":
      return { ...base, SLACK_BOT_TOKEN: "xoxb-1", SLACK_API_URL: `${DEAD_URL}/api/` };
    case "DNS":
      return { ...base, SLACK_BOT_TOKEN: "xoxb-1", SLACK_API_URL: "http://slack.invalid/api/" };
  }
}

async function inTerminal(lost: Lost, name: string) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(...line.split("\n"));
  const io = { out: write, err: write, progress: () => {}, actor: "cli:ann", terminal: null };
  const where = { packageRoot: PACKAGE_ROOT, cwd: PACKAGE_ROOT, env: environmentWithout(lost) };
  const entry = (await loadRunbooks()).find(name)!;
  const exitCode = await runOffline(entry, {}, { ...io, ...where });
  return { exitCode, text: lines.join("\n") };
}

/** One that needs rows, and one that looks at everything. */
async function tryTerminal(lost: Lost): Promise<Outcome> {
  const rows = await inTerminal(lost, "diagnose-db-connections");
  const looks = await inTerminal(lost, "preflight-check");
  if (lost === "Postgres down") {
    expect(rows.exitCode).toBe(1);
    expect(rows.text).toMatch(/cannot connect|ECONNREFUSED/);
    expect(looks.text).toMatch(/database\s.*fail/);
    expect(looks.text).toMatch(/policies\s+(ok|warn)/);
    return "in-part";
  }
  expect(rows.exitCode).toBe(0);
  if (lost === "Postgres read-only") {
    expect(rows.text).toContain("is read-only");
    return "whole";
  }
  const name = {
    Redis: "redis",
    GitHub: "github",
    PagerDuty: "pagerduty",
    Slack: "slack",
    DNS: "slack",
  };
  expect(looks.text).toMatch(new RegExp(`${name[lost]}\\S*\\s.*fail`));
  return "names-it";
}

async function tryStop(lost: Lost): Promise<Outcome> {
  const file = join(home, "STOP");
  const db = databaseWithout(lost);
  const stop = createStopSwitch({ db, file, clock: systemClock, log: silentLogger });
  const reached = await stop.set({ by: "ann", reason: "enough" });
  expect(reached.file).toBe(true);
  expect(await stop.read()).toMatchObject({ by: "ann", reason: "enough" });
  if (reached.database) return "everywhere";
  // The database is back: it hears of the order, and so does every machine.
  const later = createStopSwitch({ db: lent.db, file, clock: systemClock, log: silentLogger });
  await later.read();
  const other = { db: lent.db, file: join(home, "OTHER"), clock: systemClock, log: silentLogger };
  expect(await createStopSwitch(other).read()).toMatchObject({ reason: "enough" });
  return "this-machine";
}

const TRY: Readonly<Record<Flow, (lost: Lost) => Promise<Outcome>>> = {
  "Slack command": (lost) => tryDoor(lost, "slack"),
  "PagerDuty event": (lost) => tryDoor(lost, "pagerduty"),
  "GitHub delivery": tryGithub,
  "running run": tryRun,
  "sev1 page": tryPage,
  "reading runbook in a terminal": tryTerminal,
  "stop switch": tryStop,
};

describe.each(LOST)("%s ×", (lost) => {
  test.each(FLOWS)("%s", async (flow) => {
    expect(await TRY[flow](lost)).toBe(CELLS[lost][flow]);
  });
});
