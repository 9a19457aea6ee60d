// Proves on this machine that a storm of PagerDuty deliveries starts one run an incident: signed deliveries, three of
// ten for the second time and all out of order, against the whole product in processes of its own. Counts by the rows
// what was lost or doubled, and prints how long it took from the webhook to the first step of a run.
//
//   npm run build && node bench/proof/pagerduty-load.mjs                5,000 deliveries at 100 a second, 500 incidents
//   node bench/proof/pagerduty-load.mjs --deliveries 400                smaller
//
// Ends with 1 when anything was lost or doubled, an incident has no run or two, or p99 to the first step is 2 s or more.
// An incident that comes while a run is at work on the same joins it, and counts as that run's.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, openSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startEmbeddedPostgres } from "../../dist/src/adapter/embedded-postgres.js";
import { systemClock } from "../../dist/src/base/clock.js";
import { silentLogger } from "../../dist/src/base/log.js";
import { hmacSha256 } from "../../dist/src/base/secret.js";
import { startRuntime } from "../../dist/src/main.js";
import { readConfig } from "../../dist/src/runtime/config.js";
import { openDatabase } from "../../dist/src/store/database.js";
import { migrate } from "../../dist/src/store/migrate.js";
import { readMigrationFiles } from "../../dist/src/store/migration-files.js";

const self = fileURLToPath(import.meta.url);
const packageRoot = dirname(dirname(dirname(self)));
const P99_MAX_MS = 2_000;
const START_MAX_MS = 60_000;
const SETTLE_MAX_MS = 600_000;
const LOOK_MS = 250;
const ANSWER_MAX_MS = 5_000;
const TRIES_MAX = 5;
/** Of each incident: what PagerDuty says of it, the first by two subscriptions. */
const KINDS = [
  ...["triggered", "triggered", "acknowledged", "annotated", "escalated", "reassigned"],
  "priority_updated",
].map((kind) => `incident.${kind}`);

/** One automation, which starts a runbook that looks at a job of the incident's own. */
const AUTOMATION = {
  ...{ name: "load", when: { on: "incident", titleIncludes: "LOAD", dedupKeyPrefix: null } },
  ...{ runbook: "inspect-job", params: { job: ["$", "{incident.key}"].join("") } },
  guard: {
    ...{ cooldownMs: 0, cooldownAfterFailureMs: 0, perHourMax: 100_000, targetsMax: 1, foldMs: 0 },
    perTargetPerHourMax: 100_000,
  },
  trust: { level: "auto", because: "a proof of the load" },
};

async function serve() {
  const read = readConfig(process.env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("; "));
  const runtime = await startRuntime({
    ...{ config: read.value, env: process.env, childLog: 2, packageRoot, cwd: packageRoot },
    ...{ role: "all", lane: null, kinds: null },
    writeLog: (line) => process.stderr.write(`${line}\n`),
    onFatal: (why) => process.stderr.write(`fatal: ${why}\n`),
    changePolicy: (policy) => ({
      ...policy,
      ...{ schedules: [], automation: [AUTOMATION] },
      healing: {
        ...policy.healing,
        automation: { ...policy.healing.automation, globalPerHourMax: 100_000 },
      },
    }),
  });
  await once(process, "SIGTERM");
  await runtime.stop();
  process.exit(0);
}

async function until(what, isSo, maxMs) {
  const byMs = performance.now() + maxMs;
  while (!(await isSo())) {
    if (performance.now() > byMs) throw new Error(`gave up after ${maxMs} ms: ${what}`);
    await systemClock.sleep(LOOK_MS);
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      deliveries: { type: "string", default: "5000" },
      rate: { type: "string", default: "100" },
      keep: { type: "boolean", default: false },
    },
  });
  const numberOf = (text) => {
    if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`found "${text}", expected a whole number`);
    return Number(text);
  };
  const deliveries = numberOf(values.deliveries);
  const incidents = Math.max(1, Math.floor((deliveries * 0.7) / KINDS.length));
  return { deliveries, incidents, perSecond: numberOf(values.rate), keep: values.keep };
}

async function main() {
  const options = readOptions();
  const home = realpathSync(mkdtempSync(join(tmpdir(), "algobrain-load-")));
  // When root runs it, another account runs the server: it must be able to enter.
  chmodSync(home, 0o755);
  const server = await startEmbeddedPostgres({ home, log: silentLogger });
  const db = openDatabase({ url: server.url, poolMax: 3, applicationName: "load", ssl: false });
  const secret = randomBytes(16).toString("hex");
  const port = await freePort();
  await migrate(db, await readMigrationFiles());
  const log = openSync(join(home, "log"), "a");
  const child = spawn(process.execPath, [self, "serve"], {
    env: {
      ...{ PATH: process.env.PATH, HOME: home, ALGOBRAIN_HOME: home, PORT: String(port) },
      ...{ DATABASE_URL: server.url, JWT_SECRET: randomBytes(32).toString("hex") },
      PAGERDUTY_WEBHOOK_SECRET: secret,
    },
    stdio: ["ignore", log, log],
  });
  try {
    const alive = "SELECT count(*)::int AS count FROM workers WHERE status = 'alive'";
    const areUp = async () => (await db.query(alive)).rows[0].count >= 4;
    await until("the processes are up", areUp, START_MAX_MS);
    const queue = await makeDeliveries(db, options);
    const took = await storm(`http://127.0.0.1:${port}/webhooks/pagerduty`, secret, queue, options);
    process.exitCode = report(took, await settle(db), options) ? 0 : 1;
  } finally {
    // One that has gone by itself sends no word of it any more.
    if (child.exitCode === null && child.kill("SIGTERM")) await once(child, "exit");
    await db.close();
    await server.stop();
    if (options.keep) console.log(`kept: ${home}`);
    else rmSync(home, { recursive: true, force: true });
  }
}

/** All events of all incidents, some of them twice, in an order of their own that is the same each time. */
async function makeDeliveries(db, { deliveries, incidents }) {
  const { rows } = await db.query(
    `INSERT INTO jobs (job_type, status, completed_at) SELECT 'gc', 'cancelled', now()
     FROM generate_series(1, $1::int) RETURNING id`,
    [incidents],
  );
  const events = rows.flatMap(({ id }, n) =>
    KINDS.map((kind, at) => ({
      webhookId: `load-${n}-${at}`,
      event: {
        // The first two are one event.
        ...{ id: `event-${n}-${Math.max(1, at)}`, event_type: kind, resource_type: "incident" },
        data: { id: `QLOAD${n}`, title: "LOAD of the proof", incident_key: id },
      },
    })),
  );
  const again = Array.from(
    { length: deliveries - events.length },
    (_, at) => events[at % events.length],
  );
  return shuffle([...events, ...again]);
}

/** By a linear congruential generator, so that a failure comes again. */
function shuffle(items) {
  let state = 7;
  for (let at = items.length - 1; at > 0; at--) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const other = state % (at + 1);
    [items[at], items[other]] = [items[other], items[at]];
  }
  return items;
}

async function storm(url, secret, queue, { perSecond }) {
  return Promise.all(
    queue.map(async (delivery, at) => {
      await systemClock.sleep((at * 1_000) / perSecond);
      return deliver(url, secret, delivery);
    }),
  );
}

/** What is not answered within five seconds, or with 5xx or 429, PagerDuty delivers again. */
async function deliver(url, secret, { webhookId, event }) {
  const body = JSON.stringify({ event });
  const headers = {
    "content-type": "application/json",
    "x-webhook-id": webhookId,
    "x-pagerduty-signature": `v1=${hmacSha256(secret, body).toString("hex")}`,
  };
  const startedMs = performance.now();
  const refusals = [];
  for (let tries = 1; ; tries++) {
    const status = await post(url, { method: "POST", body, headers });
    const isOver = (status >= 200 && status < 500 && status !== 429) || tries === TRIES_MAX;
    if (isOver) return { status, refusals, tookMs: performance.now() - startedMs };
    refusals.push(status);
    await systemClock.sleep(1_000 * tries);
  }
}

/** The status; 0 when there was no answer in time. */
async function post(url, init) {
  try {
    const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_MAX_MS) });
    await reply.arrayBuffer();
    return reply.status;
  } catch {
    // No answer is an answer here: it is counted, and delivered again.
    return 0;
  }
}

async function settle(db) {
  const open = `SELECT (SELECT count(*) FROM control.inbound WHERE status = 'received')
    + (SELECT count(*) FROM control.run WHERE ended_at IS NULL) AS count`;
  const isOver = async () => Number((await db.query(open)).rows[0].count) === 0;
  await until("every event is settled and every run has ended", isOver, SETTLE_MAX_MS);
  const covered = await db.query(
    `SELECT (SELECT count(*)::int FROM control.run AS run WHERE run.incident_id = incident) AS runs,
       (SELECT count(*)::int FROM control.run_follower AS one WHERE one.incident_id = incident) AS joined
     FROM (SELECT DISTINCT body->>'incidentId' AS incident FROM control.inbound) AS seen`,
  );
  const steps = await db.query(
    `SELECT (extract(epoch FROM min(step.started_at) - inbound.received_at) * 1000)::float8 AS ms
     FROM control.run AS run JOIN control.inbound AS inbound ON inbound.id = run.inbound_id
       JOIN control.run_step AS step ON step.run_seq = run.seq GROUP BY run.seq, inbound.received_at`,
  );
  const kept = await db.query("SELECT count(*)::int AS count FROM control.inbound");
  return { covered: covered.rows, steps: steps.rows.map(({ ms }) => ms), kept: kept.rows[0].count };
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

function report(took, { covered, steps, kept }, { deliveries, incidents, perSecond }) {
  const refused = took.filter(({ status }) => status !== 202).length;
  const again = took.flatMap(({ refusals }) => refusals);
  const why = [...new Set(again)].map((status) => `${status || "silence"}`).join(", ");
  const acks = took.map(({ tookMs }) => tookMs);
  const twice = covered.filter(({ runs, joined }) => runs + joined > 1).length;
  const without = incidents - covered.filter(({ runs, joined }) => runs + joined > 0).length;
  const runs = covered.reduce((sum, one) => sum + one.runs, 0);
  const expected = incidents * KINDS.length;
  const p99 = quantile(steps, 0.99);
  console.log(
    `${deliveries} deliveries of ${incidents} incidents at ${perSecond}/s: refused ${refused} delivered again ${again.length}${why && ` after ${why}`} ` +
      `lost ${expected - kept} runs ${runs} incidents without ${without} with two ${twice}; ` +
      `ack p99 ${quantile(acks, 0.99).toFixed(0)} ms; webhook to first step ` +
      `p50 ${quantile(steps, 0.5).toFixed(0)} ms p99 ${p99.toFixed(0)} ms`,
  );
  return refused === 0 && kept === expected && without === 0 && twice === 0 && p99 < P99_MAX_MS;
}

await (process.argv[2] === "serve" ? serve() : main());
