// The whole product in processes of its own, on a private database server, for proofs that come in by its doors or
// measure it as people meet it. A proof is one file that runs twice: as itself, and as the product (`serve`).
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, openSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startEmbeddedPostgres } from "../../dist/src/adapter/embedded-postgres.js";
import { systemClock } from "../../dist/src/base/clock.js";
import { silentLogger } from "../../dist/src/base/log.js";
import { startRuntime } from "../../dist/src/main.js";
import { readConfig } from "../../dist/src/runtime/config.js";
import { openDatabase } from "../../dist/src/store/database.js";
import { migrate } from "../../dist/src/store/migrate.js";
import { readMigrationFiles } from "../../dist/src/store/migration-files.js";

export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const START_MAX_MS = 60_000;
const LOOK_MS = 250;
/** Two of the general lane, one of the internal, one executor. */
const WORKERS = 4;

/** Runs the product in this process until it is told to end: `node <proof> serve [role]`. */
export async function serveProduct(changePolicy) {
  const read = readConfig(process.env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("; "));
  // Before the start: one that is told to end meanwhile leaves none of its workers behind.
  const asked = once(process, "SIGTERM");
  const runtime = await startRuntime({
    ...{ config: read.value, env: process.env, childLog: 2, packageRoot, cwd: packageRoot },
    ...{ role: process.argv[3] ?? "all", lane: null, kinds: null, changePolicy },
    writeLog: (line) => process.stderr.write(`${line}\n`),
    onFatal: (why) => process.stderr.write(`fatal: ${why}\n`),
  });
  await asked;
  await runtime.stop();
  process.exit(0);
}

/**
 * Lends a place with a server that has our tables and no product yet, and leaves nothing of it behind unless `keep`:
 * `{ home, db, env, log, start }`. `start(file, role, more)` resolves with the child; those that live are ended.
 */
export async function withPlace(keep, work) {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "algobrain-load-")));
  // When root runs it, another account runs the server: it must be able to enter.
  chmodSync(home, 0o755);
  const server = await startEmbeddedPostgres({ home, log: silentLogger });
  const db = openDatabase({ url: server.url, poolMax: 3, applicationName: "load", ssl: false });
  const log = openSync(join(home, "log"), "a");
  const env = {
    ...{ PATH: process.env.PATH, HOME: home, ALGOBRAIN_HOME: home },
    ...{ DATABASE_URL: server.url, JWT_SECRET: randomBytes(32).toString("hex") },
  };
  const children = [];
  const start = (file, role, more = {}) => {
    const stdio = ["ignore", log, log];
    const child = spawn(process.execPath, [file, "serve", role], {
      env: { ...env, ...more },
      stdio,
    });
    children.push(child);
    return child;
  };
  try {
    await migrate(db, await readMigrationFiles());
    return await work({ home, db, env, start });
  } finally {
    await Promise.all(children.map(end));
    await db.close();
    await server.stop();
    if (keep) console.log(`kept: ${home}`);
    else rmSync(home, { recursive: true, force: true });
  }
}

/** One that has gone by itself sends no word of it any more. */
async function end(child) {
  const isGone = child.exitCode !== null || child.signalCode !== null;
  if (!isGone && child.kill("SIGTERM")) await once(child, "exit");
}

/** Lends a place with the whole product up: `{ home, db, env, url }`. `more`: variables of the product. */
export async function withProduct({ file, keep, more = {} }, work) {
  return withPlace(keep, async ({ start, ...place }) => {
    const port = await freePort();
    start(file, "all", { ...more, PORT: String(port) });
    await untilAlive(place.db, WORKERS);
    const url = `http://127.0.0.1:${port}`;
    await until("the API answers", () => answers(url));
    return work({ ...place, url });
  });
}

async function answers(url) {
  try {
    await (await fetch(url, { signal: AbortSignal.timeout(START_MAX_MS) })).arrayBuffer();
    return true;
  } catch {
    // Nobody listens yet: it is asked again.
    return false;
  }
}

export async function untilAlive(db, workers) {
  const alive = "workers WHERE status = 'alive'";
  await until("the processes are up", async () => (await count(db, alive)) >= workers);
}

export async function count(db, from, values = []) {
  return (await db.query(`SELECT count(*)::int AS n FROM ${from}`, values)).rows[0].n;
}

/** Throws an error that says what did not come within `maxMs`. */
export async function until(what, isSo, maxMs = START_MAX_MS, everyMs = LOOK_MS) {
  const byMs = performance.now() + maxMs;
  while (!(await isSo())) {
    if (performance.now() > byMs) throw new Error(`gave up after ${maxMs} ms: ${what}`);
    await systemClock.sleep(everyMs);
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

/** Of an option of the command line. */
export function wholeNumber(text) {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`found "${text}", expected a whole number`);
  return Number(text);
}

/** By nearest rank; NaN of nothing. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
