// The private servers of one run, loopback only, data in a temporary folder that goes with them: PostgreSQL and Redis with
// the settings they come with (Redis with an append-only file flushed each second), pgbouncer in transaction mode.
import { spawn } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { ENVIRONMENT, findAccount, runAs } from "../../dist/src/adapter/postgres/account.js";
import { findOnPath, findPostgres } from "./find-program.mjs";
import { stopMeasuring } from "./measure.mjs";

const USER = "bench";
const HOST = "127.0.0.1";
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;
const POLL_MS = 50;
const SIGNALS = ["SIGINT", "SIGTERM"];
/** As a shell says it of a program that was interrupted. */
const STOPPED = 130;

/**
 * Lends servers to `work`: `env` for the harness, `settings` in words, `missing` by name with the reason. A port given by
 * BENCH_PG_PORT or BENCH_REDIS_PORT is a server of yours: it is used as it stands, and never stopped. Afterwards, and on
 * Ctrl-C, what was started ends and the folder goes.
 */
export async function withServers(work) {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-bench-"));
  await chmod(folder, 0o755);
  const servers = new Servers(folder, await findAccount());
  const stop = async () => {
    stopMeasuring();
    await servers.close();
    process.exit(STOPPED);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    await servers.openPostgres();
    await servers.openRedis();
    return await work(servers);
  } finally {
    await servers.close();
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

class Servers {
  env = {};
  settings = [];
  missing = {};
  #folder;
  #account;
  #programs = [];
  #closing = null;

  constructor(folder, account) {
    this.#folder = folder;
    this.#account = account;
    // What a killed worker leaves behind goes with the folder.
    this.env.TMPDIR = folder;
  }

  async openPostgres() {
    const given = process.env.BENCH_PG_PORT;
    if (given) return this.#use("BENCH_PG_PORT", given, `PostgreSQL on port ${given}, not ours`);
    const place = await this.#place("postgres");
    const program = await findPostgres(this.#account, place);
    const data = join(place, "data");
    const locale = process.platform === "linux" ? "C.UTF-8" : "C";
    const made = await runAs(this.#account, join(program.binFolder, "initdb"), [
      ...["-D", data, "-U", USER, "--auth=trust", "-E", "UTF8", `--locale=${locale}`],
    ]);
    if (!made.ok) throw new Error(`initdb failed: ${made.complaint}`);
    const port = await freePort();
    const settings = [`listen_addresses=${HOST}`, `unix_socket_directories=${place}`];
    const args = ["-D", data, "-p", port, ...settings.flatMap((one) => ["-c", one])];
    await this.#start("postgres", join(program.binFolder, "postgres"), args, {
      signal: "SIGINT",
      answers: () => answersAsPostgres(port),
    });
    this.#use(
      "BENCH_PG_PORT",
      port,
      `PostgreSQL ${program.version} ${program.origin}, as it comes`,
    );
  }

  async openRedis() {
    const given = process.env.BENCH_REDIS_PORT;
    if (given) return this.#use("BENCH_REDIS_PORT", given, `Redis on port ${given}, not ours`);
    const program = findOnPath("redis-server");
    if (program === null) {
      this.missing.redis = "there is no redis-server on the PATH";
      return;
    }
    const dir = await this.#place("redis");
    const port = await freePort();
    const args = ["--port", port, "--bind", HOST, "--dir", dir];
    const durable = ["--appendonly", "yes", "--appendfsync", "everysec"];
    await this.#start("redis", program, [...args, ...durable], {
      signal: "SIGTERM",
      answers: () => listens(port),
    });
    const version = await versionOf(program);
    this.#use(
      "BENCH_REDIS_PORT",
      port,
      `Redis ${version}, ${durable.join(" ").replaceAll("--", "")}`,
    );
  }

  /**
   * pgbouncer before the same PostgreSQL, as it comes but for transaction mode. Returns the variables that send an adapter
   * through it; null, with a word in `missing`, where there is none.
   */
  async openPgbouncer() {
    const program = findOnPath("pgbouncer");
    if (program === null) {
      this.missing.pgbouncer = "there is no pgbouncer on the PATH";
      return null;
    }
    const direct = this.env.BENCH_PG_PORT;
    const place = await this.#place("pgbouncer");
    const port = await freePort();
    const users = join(place, "users.txt");
    await writeFile(users, `"${USER}" ""\n`);
    await writeFile(join(place, "pgbouncer.ini"), pgbouncerSettings({ direct, port, users }));
    await this.#start("pgbouncer", program, ["-q", join(place, "pgbouncer.ini")], {
      signal: "SIGINT",
      answers: () => answersAsPostgres(port),
    });
    this.settings.push(`pgbouncer ${await versionOf(program)}, pool_mode transaction, as it comes`);
    return { BENCH_PG_PORT: String(port), BENCH_PG_DIRECT_PORT: direct };
  }

  /** Safe to call twice, also at once. */
  close() {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end() {
    for (const program of this.#programs.splice(0).reverse()) await end(program);
    await rm(this.#folder, { recursive: true, force: true });
  }

  #use(name, port, words) {
    this.env[name] = String(port);
    this.settings.push(words);
  }

  /** A folder that the account of the servers owns. */
  async #place(name) {
    const folder = join(this.#folder, name);
    await mkdir(folder, { mode: 0o700 });
    if (this.#account !== null) await chown(folder, this.#account.uid, this.#account.gid);
    return folder;
  }

  async #start(name, program, args, { signal, answers }) {
    const logFile = join(this.#folder, `${name}.log`);
    const log = await open(logFile, "a");
    const options = { ...this.#account, cwd: "/", env: ENVIRONMENT };
    // A group of its own: Ctrl-C in the terminal is for us, who stop it in order.
    const child = spawn(program, args.map(String), {
      ...options,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
    });
    const exited = new Promise((resolve) => {
      child.once("exit", resolve);
      child.once("error", resolve);
    });
    await log.close();
    this.#programs.push({ child, exited, signal });
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await answers())) {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error(`${name} does not start: ${(await readFile(logFile, "utf8")).slice(-600)}`);
      await sleep(POLL_MS);
    }
  }
}

function pgbouncerSettings({ direct, port, users }) {
  return `[databases]
* = host=${HOST} port=${direct}
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
`;
}

async function end({ child, exited, signal }) {
  child.kill(signal);
  const late = await Promise.race([exited, sleep(STOP_TIMEOUT_MS, "late", { ref: false })]);
  if (late !== "late") return;
  child.kill("SIGKILL");
  await exited;
}

async function answersAsPostgres(port) {
  const client = new pg.Client({ host: HOST, port, user: USER, database: "postgres" });
  client.on("error", () => {
    // It is asked again.
  });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = createConnection({ host: HOST, port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, HOST, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function versionOf(program) {
  const { stdout } = await runAs(null, program, ["--version"]);
  return /(\d+\.\d+(\.\d+)?)/.exec(stdout)?.[1] ?? stdout.trim();
}
