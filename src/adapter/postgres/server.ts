/** One server process: make its files, find it running, start it, stop it. */
import { existsSync } from "node:fs";
import { chown, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { systemClock } from "../../base/clock.js";
import { fault } from "../../base/fault.js";
import { type Account, runAs } from "./account.js";
import type { Place } from "./place.js";
import type { Program } from "./program.js";

export const USER_NAME = "algobrain";
export const DATABASE_NAME = "algobrain";

const START_ATTEMPTS_MAX = 10;
const START_PAUSE_MS = 300;
const ANSWER_TIMEOUT_MS = 1_000;
const LOG_MAX_BYTES = 10_000_000;
/** A four-byte length and the number that asks a PostgreSQL server whether it speaks TLS: it answers S or N. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

export interface Server {
  readonly account: Account;
  readonly program: Program;
  readonly place: Place;
  /** Without fsync: for databases that nobody will miss. */
  readonly disposable: boolean;
}

export interface Running {
  readonly port: number;
  readonly pid: number;
}

const dataFolder = ({ place }: Server): string => join(place.folder, "data");
const pidFile = (server: Server): string => join(dataFolder(server), "postmaster.pid");

/** Makes the data folder with its database when there is none: whole or not at all, so a kill half-way does no harm. */
export async function initialise(server: Server): Promise<void> {
  if (existsSync(join(dataFolder(server), "PG_VERSION"))) return checkMajor(server);
  const draft = join(server.place.folder, `data-${process.pid}`);
  const passwordFile = join(server.place.folder, `password-${process.pid}`);
  await rm(draft, { recursive: true, force: true });
  await writeFile(passwordFile, server.place.password, { mode: 0o600 });
  if (server.account) await chown(passwordFile, server.account.uid, server.account.gid);
  try {
    await makeDatabase(server, draft, passwordFile);
    await rename(draft, dataFolder(server));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process that started at the same moment may have been first: then its data folder is ours too.
    if (!existsSync(join(dataFolder(server), "PG_VERSION"))) throw error;
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function makeDatabase(server: Server, folder: string, passwordFile: string): Promise<void> {
  await runProgram(server, "initdb", [
    ...["--pgdata", folder, "--username", USER_NAME, "--pwfile", passwordFile],
    ...["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"],
  ]);
  // The npm package brings no client program: the server itself, in single-user mode, makes the database.
  const single = ["--single", "-D", folder, "-c", "fsync=off", "postgres"];
  await runProgram(server, "postgres", single, `CREATE DATABASE ${DATABASE_NAME}\n`);
  if (!server.disposable) await runProgram(server, "initdb", ["--pgdata", folder, "--sync-only"]);
}

async function checkMajor(server: Server): Promise<void> {
  const text = await readFile(join(dataFolder(server), "PG_VERSION"), "utf8");
  const [major] = server.program.version.split(".");
  if (text.trim() === major) return;
  throw fault.refused(
    "EMBEDDED_DATABASE_VERSION",
    `${dataFolder(server)} was made by PostgreSQL ${text.trim()}, this release brings ${server.program.version}`,
    {
      hint: "start the release that made it, run `algobrain db backup`, and restore the backup here",
    },
  );
}

/** The server of this place, when it runs and answers. A pid file that a crash left behind is not taken for a server. */
export async function findRunning(server: Server): Promise<Running | null> {
  const text = await readFile(pidFile(server), "utf8").catch(() => "");
  const [pid, , , port] = text.split("\n").map(Number);
  if (!pid || !port || !isAlive(pid)) return null;
  return (await answers(port)) ? { pid, port } : null;
}

/** Starts the server in a session of its own, so that Ctrl-C in the terminal does not reach it. */
export async function start(server: Server): Promise<Running> {
  let said = "";
  await keepLogSmall(server);
  for (let attempt = 1; attempt <= START_ATTEMPTS_MAX; attempt++) {
    const args = ["start", "--wait", "--timeout", "60", "--silent", ...placeArgs(server)];
    const settings = settingsOf(server, await freePort());
    const done = await runAs(server.account, programPath(server, "pg_ctl"), [
      ...[...args, "--log", join(server.place.folder, "server.log")],
      ...["--options", settings.map((setting) => `-c ${setting}`).join(" ")],
    ]);
    // Also when another process was quicker: then its server is ours too.
    const running = await findRunning(server);
    if (running) return running;
    said = done.complaint;
    await dropStalePidFile(server);
    // A port taken meanwhile, or a killed server whose last child has not yet gone.
    await systemClock.sleep(START_PAUSE_MS);
  }
  throw broken(`could not start: ${said}`, server);
}

/** Ends sessions at once and writes a checkpoint; when that takes over 20 s, stops without one (the next start recovers). */
export async function stop(server: Server): Promise<void> {
  for (const mode of ["fast", "immediate"]) {
    const args = ["stop", "--wait", "--timeout", "20", "--silent", "--mode", mode];
    const done = await runAs(server.account, programPath(server, "pg_ctl"), [
      ...args,
      ...placeArgs(server),
    ]);
    if (done.ok || (await findRunning(server)) === null) return;
  }
  throw broken("does not stop", server);
}

function settingsOf(server: Server, port: number): string[] {
  const always = [
    ...[`port=${port}`, "listen_addresses=127.0.0.1", "unix_socket_directories="],
    ...["max_connections=100", "shared_buffers=128MB", "jit=off", "timezone=UTC"],
    ...["log_timezone=UTC", "log_min_messages=warning", "autovacuum_naptime=15s"],
  ];
  const careless = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
  return server.disposable ? [...always, ...careless] : always;
}

async function runProgram(
  server: Server,
  name: string,
  args: readonly string[],
  input?: string,
): Promise<void> {
  const done = await runAs(server.account, programPath(server, name), args, input);
  if (!done.ok) throw broken(`${name} failed: ${done.complaint}`, server);
}

function programPath(server: Server, name: string): string {
  return join(server.program.binFolder, name);
}

function placeArgs(server: Server): string[] {
  return ["--pgdata", dataFolder(server)];
}

function broken(what: string, server: Server): Error {
  return fault.transient("EMBEDDED_DATABASE_UNAVAILABLE", `embedded PostgreSQL: ${what}`, {
    hint: `see ${join(server.place.folder, "server.log")}`,
  });
}

/** After a restart of the machine a stranger may carry the number; the server would take it for itself and refuse. */
async function dropStalePidFile(server: Server): Promise<void> {
  const text = await readFile(pidFile(server), "utf8").catch(() => "");
  const pid = Number(text.split("\n", 1)[0]);
  if (!pid) return;
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => null);
  if (command !== null && !command.includes("postgres")) await rm(pidFile(server), { force: true });
}

async function keepLogSmall(server: Server): Promise<void> {
  const log = join(server.place.folder, "server.log");
  const size = existsSync(log) ? (await stat(log)).size : 0;
  if (size > LOG_MAX_BYTES) await rename(log, `${log}.old`);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** True when a PostgreSQL server answers at this port of the loopback address. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: ANSWER_TIMEOUT_MS });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => socket.write(SSL_REQUEST));
    socket.once("data", (data) => end(data[0] === 0x4e || data[0] === 0x53));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
    socket.once("close", () => end(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const address = listener.address();
      listener.close(() =>
        typeof address === "object" && address
          ? resolve(address.port)
          : reject(new Error("no port")),
      );
    });
  });
}
