// Proves on this machine that Slack's three seconds are kept under load: signed commands at a steady rate while runs
// are at work, against the whole product in processes of its own. Prints how long the acknowledgements took, and
// counts by the rows what was lost or done twice.
//
//   npm run build && node bench/proof/slack-load.mjs                  1,000 commands at 50 a second, 20 runs at work
//   node bench/proof/slack-load.mjs --commands 200 --runs 5           smaller
//
// Ends with 1 when p99 is 200 ms or more, or when anything was lost or doubled.
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
import { startStandInSlack } from "../../dist/src/adapter/stand-in/slack.js";
import { systemClock } from "../../dist/src/base/clock.js";
import { silentLogger } from "../../dist/src/base/log.js";
import { slackCommandRequest } from "../../dist/src/gameday/sign.js";
import { startRuntime } from "../../dist/src/main.js";
import { readConfig } from "../../dist/src/runtime/config.js";
import { openDatabase } from "../../dist/src/store/database.js";
import { enqueueJob } from "../../dist/src/store/jobs.js";
import { migrate } from "../../dist/src/store/migrate.js";
import { readMigrationFiles } from "../../dist/src/store/migration-files.js";

const self = fileURLToPath(import.meta.url);
const packageRoot = dirname(dirname(dirname(self)));
const TEAM = "T0LOAD";
const P99_MAX_MS = 200;
const START_MAX_MS = 60_000;
const SETTLE_MAX_MS = 300_000;
const LOOK_MS = 250;

/** The product, with one person who may, and no schedule that would run beside. */
async function serve() {
  const read = readConfig(process.env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("; "));
  const ann = {
    ...{ name: "ann", role: "operator", slack: [`${TEAM}/UANN`] },
    ...{ github: null, subjects: [], teams: [] },
  };
  const runtime = await startRuntime({
    ...{ config: read.value, env: process.env, childLog: 2, packageRoot, cwd: packageRoot },
    ...{ role: "all", lane: null, kinds: null },
    writeLog: (line) => process.stderr.write(`${line}\n`),
    onFatal: (why) => process.stderr.write(`fatal: ${why}\n`),
    changePolicy: (policy) => ({
      ...policy,
      schedules: [],
      access: { ...policy.access, people: [ann] },
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
      commands: { type: "string", default: "1000" },
      rate: { type: "string", default: "50" },
      runs: { type: "string", default: "20" },
      keep: { type: "boolean", default: false },
    },
  });
  const numberOf = (text) => {
    if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`found "${text}", expected a whole number`);
    return Number(text);
  };
  return {
    commands: numberOf(values.commands),
    perSecond: numberOf(values.rate),
    runs: numberOf(values.runs),
    keep: values.keep,
  };
}

async function main() {
  const options = readOptions();
  const home = realpathSync(mkdtempSync(join(tmpdir(), "algobrain-load-")));
  // When root runs it, another account runs the server: it must be able to enter.
  chmodSync(home, 0o755);
  const server = await startEmbeddedPostgres({ home, log: silentLogger });
  const db = openDatabase({ url: server.url, poolMax: 3, applicationName: "load", ssl: false });
  const token = `xoxb-${randomBytes(8).toString("hex")}`;
  const slack = await startStandInSlack({ token });
  const secret = randomBytes(16).toString("hex");
  const port = await freePort();
  await migrate(db, await readMigrationFiles());
  const log = openSync(join(home, "log"), "a");
  const child = spawn(process.execPath, [self, "serve"], {
    env: {
      ...{ PATH: process.env.PATH, HOME: home, ALGOBRAIN_HOME: home, PORT: String(port) },
      ...{ DATABASE_URL: server.url, JWT_SECRET: randomBytes(32).toString("hex") },
      ...{ SLACK_API_URL: slack.url, SLACK_BOT_TOKEN: token, SLACK_SIGNING_SECRET: secret },
    },
    stdio: ["ignore", log, log],
  });
  const send = createSender(`http://127.0.0.1:${port}`, secret);
  try {
    await until(
      "the processes are up",
      async () => {
        const { rows } = await db.query(
          "SELECT count(*)::int AS count FROM workers WHERE status = 'alive'",
        );
        return rows[0].count >= 4;
      },
      START_MAX_MS,
    );
    await putRunsToWork(db, send, options.runs);
    process.exitCode = report(await storm(db, send, options), options) ? 0 : 1;
  } finally {
    child.kill("SIGTERM");
    await once(child, "exit");
    await db.close();
    await slack.close();
    await server.stop();
    if (options.keep) console.log(`kept: ${home}`);
    else rmSync(home, { recursive: true, force: true });
  }
}

/** Returns a function that sends one signed command: `{ status, tookMs }`. */
function createSender(url, secret) {
  let sent = 0;
  return async (text) => {
    sent += 1;
    const command = {
      ...{ teamId: TEAM, userId: "UANN", channelId: `C${sent}` },
      ...{ text, triggerId: `trigger-${sent}` },
    };
    const request = slackCommandRequest(command, secret, systemClock.now());
    const startedMs = performance.now();
    const reply = await fetch(`${url}${request.path}`, {
      ...{ method: "POST", headers: request.headers, body: request.body },
      signal: AbortSignal.timeout(10_000),
    });
    await reply.arrayBuffer();
    return { status: reply.status, tookMs: performance.now() - startedMs };
  };
}

/** Reruns of jobs whose queue is paused: each follows its job for as long as the storm lasts. */
async function putRunsToWork(db, send, runs) {
  await send("pause-queue export 1h so that runs wait for their jobs");
  await until("the queue is paused", () => hasRows(db, "control.queue_pause"), START_MAX_MS);
  for (let i = 0; i < runs; i++) {
    const { id, seq } = await enqueueJob(db, { kind: "export", payload: { entity: "events" } });
    await db.query("UPDATE jobs SET status = 'failed' WHERE seq = $1", [seq]);
    await send(`rerun ${id}`);
  }
  const sql = "SELECT FROM control.run WHERE status = 'running' AND runbook = 'rerun-job'";
  // As many at once as one executor takes; the others wait their turn.
  const atOnce = Math.min(runs, 10);
  await until(
    `${atOnce} runs are at work`,
    async () => (await db.query(sql)).rowCount >= atOnce,
    START_MAX_MS,
  );
}

async function hasRows(db, table) {
  return (await db.query(`SELECT FROM ${table} LIMIT 1`)).rowCount > 0;
}

/** Each command is one of its own, so that by the rows each is kept once and settled once. */
async function storm(db, send, { commands, perSecond }) {
  const count = async (sql) => (await db.query(`SELECT count(*)::int AS n FROM ${sql}`)).rows[0].n;
  const before = await count("control.inbound");
  const acks = await Promise.all(
    Array.from({ length: commands }, async (_, i) => {
      await systemClock.sleep((i * 1_000) / perSecond);
      return send(`run-${i + 1_000_000}`);
    }),
  );
  await until(
    "every command is settled",
    async () => (await count("control.inbound WHERE status = 'received'")) === 0,
    SETTLE_MAX_MS,
  );
  const distinct = "DISTINCT body ->> 'title'";
  const answers =
    "control.chat_post WHERE purpose = 'inbound' AND body ->> 'title' LIKE '%run-1______'";
  return {
    acks,
    kept: (await count("control.inbound")) - before,
    answered: (await db.query(`SELECT count(${distinct})::int AS n FROM ${answers}`)).rows[0].n,
    answers: await count(answers),
    runs: await count("control.run WHERE status = 'running'"),
  };
}

function report({ acks, kept, answered, answers, runs }, { commands, perSecond }) {
  const took = acks.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const at = (share) => took[Math.max(0, Math.ceil(took.length * share) - 1)];
  const refused = acks.filter(({ status }) => status !== 200).length;
  const taken = commands - refused;
  const [lost, doubled] = [taken - answered, kept - taken + (answers - answered)];
  console.log(
    `${commands} commands at ${perSecond}/s while ${runs} runs are at work: ` +
      `ack p50 ${at(0.5).toFixed(0)} ms p99 ${at(0.99).toFixed(0)} ms max ${at(1).toFixed(0)} ms ` +
      `refused ${refused} lost ${lost} doubled ${doubled}`,
  );
  return at(0.99) < P99_MAX_MS && refused === 0 && lost === 0 && doubled === 0;
}

await (process.argv[2] === "serve" ? serve() : main());
