// Real processes: how long after the end of a loop another process has a notice of it in the outbox.
//
//   node bench/alerts/dead-loop.mjs
//
// An orchestrator, an API and workers on a private server. Whoever judges is killed, twice, and started again when the other
// one judges: AR-36 must not be told (75 s). Then the orchestrator's process is killed for good (AR-05, bar: 75 s), and at the
// same moment the database refuses what any evaluator wants to store (AR-36, bar: 90 s). Takes four minutes.
// Build first: node scripts/build.mjs. Ends with 1 when a bar is not met.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../dist/src/base/clock.js";
import { withDatabase } from "./server.mjs";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PROGRAM = join(ROOT, "bin", "algobrain.js");
const PORT = process.env.BENCH_PORT ?? "8741";
const BARS_S = { "orchestrator-down": 75, "metrics-stale": 90 };
const START_MAX_S = 120;
const BREAK = `CREATE FUNCTION control.refuse_clock() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no evaluator may work now'; END $$;
  CREATE TRIGGER refuse_clock BEFORE INSERT OR UPDATE ON control.alert_clock FOR EACH ROW
    EXECUTE FUNCTION control.refuse_clock()`;

const home = mkdtempSync(join(tmpdir(), "algobrain-dead-loop-"));
const log = openSync(join(home, "log"), "a");
const children = [];

function start(url, role, more = []) {
  const child = spawn(process.execPath, [PROGRAM, "serve", "--role", role, ...more], {
    cwd: ROOT,
    env: {
      ...{ PATH: process.env.PATH, HOME: home, ALGOBRAIN_HOME: join(home, role) },
      ...{ DATABASE_URL: url, HOST: "127.0.0.1" },
    },
    stdio: ["ignore", log, log],
  });
  children.push(child);
  return child;
}

async function untilAll(db, what, sql) {
  const byMs = performance.now() + START_MAX_S * 1_000;
  for (;;) {
    const { rows } = await db.query(sql);
    if (rows[0].fine) return;
    if (performance.now() > byMs)
      throw new Error(`${what}: not after ${START_MAX_S} s, see ${home}/log`);
    await systemClock.sleep(200);
  }
}

/** kill -9 for the process that judges; seconds until the other one has stored what it found. */
async function killEvaluator(db, mains, restart) {
  const { rows } = await db.query(
    "SELECT holder, now() AS at FROM control.lease WHERE name = 'alert-evaluator'",
  );
  const [{ holder, at }] = rows;
  const role = [...mains].find(([, { pid }]) => holder.split(":")[1] === String(pid))?.[0];
  if (role === undefined) throw new Error(`${holder} is none of ours`);
  mains.get(role).kill("SIGKILL");
  await untilAll(
    db,
    "another judges",
    `SELECT s.at > '${at.toISOString()}' AND l.holder <> '${holder}' AS fine
     FROM control.sign_of_life s, control.lease l WHERE s.name = 'evaluator' AND l.name = 'alert-evaluator'`,
  );
  const { rows: after } = await db.query(
    "SELECT extract(epoch FROM now() - $1)::float8 AS seconds",
    [at],
  );
  console.log(
    `the ${role} judged and was killed: another judges after ${after[0].seconds.toFixed(1)} s`,
  );
  mains.set(role, restart(role));
}

/** Seconds from `since` to the first notice of each rule; undefined: there is none. */
async function noticed(db, since) {
  const byMs = performance.now() + 1_000 * (Math.max(...Object.values(BARS_S)) + 20);
  const found = {};
  while (performance.now() < byMs && Object.keys(found).length < Object.keys(BARS_S).length) {
    const { rows } = await db.query(
      `SELECT split_part(dedup_key, '/', 2) AS rule, min(extract(epoch FROM created_at - $1))::float8 AS seconds, min(reason) AS reason
       FROM control.notice WHERE created_at > $1 GROUP BY 1`,
      [since],
    );
    for (const { rule, seconds, reason } of rows) {
      if (rule in BARS_S && !(rule in found)) {
        found[rule] = seconds;
        console.log(`${rule}: a notice (${reason}) after ${seconds.toFixed(1)} s`);
      }
    }
    await systemClock.sleep(200);
  }
  return found;
}

const fine = await withDatabase(async (db, url) => {
  const restart = (role) => start(url, role, role === "api" ? ["--port", PORT] : []);
  const mains = new Map(["orchestrator", "api"].map((role) => [role, restart(role)]));
  start(url, "worker");
  await untilAll(
    db,
    "the three signs of life",
    "SELECT count(*) = 3 AS fine FROM control.sign_of_life",
  );
  await untilAll(
    db,
    "an internal worker",
    "SELECT count(*) > 0 AS fine FROM public.workers WHERE status = 'alive' AND 'notice' = ANY (kinds)",
  );
  const { rows: signs } = await db.query(
    "SELECT name, extract(epoch FROM now() - at)::int AS age FROM control.sign_of_life",
  );
  console.log(`all work: ${signs.map(({ name, age }) => `${name} ${age} s`).join(", ")}`);
  for (let n = 0; n < 2; n += 1) await killEvaluator(db, mains, restart);
  await untilAll(
    db,
    "the orchestrator leads again",
    "SELECT at > now() - interval '2 s' AS fine FROM control.sign_of_life WHERE name = 'heartbeat'",
  );
  const early = await db.query(
    "SELECT dedup_key FROM control.notice WHERE dedup_key ~ 'metrics-stale|orchestrator-down'",
  );
  if (early.rows.length > 0) throw new Error(`told too soon: ${JSON.stringify(early.rows)}`);
  mains.get("orchestrator").kill("SIGKILL");
  const { rows } = await db.query(`SELECT now() AS at`);
  await db.query(BREAK);
  const found = await noticed(db, rows[0].at);
  let isFine = true;
  for (const [rule, bar] of Object.entries(BARS_S)) {
    const isMet = found[rule] <= bar;
    console.log(`${isMet ? "met" : "NOT MET"}: ${rule} within ${bar} s`);
    isFine &&= isMet;
  }
  for (const child of children) if (child.exitCode === null) child.kill("SIGTERM");
  await Promise.all(
    children.map((child) =>
      child.exitCode === null && child.signalCode === null ? once(child, "exit") : null,
    ),
  );
  return isFine;
});
closeSync(log);
if (fine) rmSync(home, { recursive: true, force: true });
else process.exitCode = 1;
