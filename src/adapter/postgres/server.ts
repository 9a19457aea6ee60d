/** One server process: make its files, find it running, start it, stop it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chown, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { systemClock } from "../../base/clock.js";
import { fault } from "../../base/fault.js";
import { type Account, ENVIRONMENT, runAs } from "./account.js";
import type { Place } from "./place.js";
import type { Program } from "./program.js";
import { answers, freePort, isAlive } from "./reach.js";

export const USER_NAME = "algobrain";
export const DATABASE_NAME = "algobrain";

const START_ATTEMPTS_MAX = 5;
const START_PAUSE_MS = 300;
/** Recovery after a crash replays what the last checkpoint left. */
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const REAP_TIMEOUT_MS = 1_000;
const POLL_MS = 20;
const LOG_MAX_BYTES = 10_000_000;

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

type Holder = "server" | "stranger" | "unknown" | "nobody";
/** Who may be the server, and who may be none. */
const HOLDERS: ReadonlySet<Holder> = new Set(["server", "unknown"]);
const STRANGERS: ReadonlySet<Holder> = new Set(["stranger", "unknown"]);

const dataFolder = ({ place }: Pick<Server, "place">): string => join(place.folder, "data");
const logFile = ({ place }: Server): string => join(place.folder, "server.log");
const pidFile = (server: Pick<Server, "place">): string =>
  join(dataFolder(server), "postmaster.pid");

/** Makes the data folder with its database when there is none: whole or not at all, so a kill half-way does no harm. */
export async function initialise(server: Server): Promise<void> {
  if (existsSync(join(dataFolder(server), "PG_VERSION"))) return checkMajor(server);
  const suffix = randomBytes(6).toString("hex");
  const draft = join(server.place.folder, `data-${suffix}`);
  const passwordFile = join(server.place.folder, `password-${suffix}`);
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
export async function findRunning(server: Pick<Server, "place">): Promise<Running | null> {
  const { pid, port } = readPidFile(server);
  if (!pid || !port || !isAlive(pid)) return null;
  return (await answers(port)) ? { pid, port } : null;
}

/**
 * Starts the server in a session of its own, so that Ctrl-C in the terminal does not reach it.
 * It is our child (so it leaves no zombie where nobody else reaps), but does not keep our process alive.
 * Without a port it takes a free one.
 */
export async function start(server: Server, port?: number): Promise<Running> {
  await keepLogSmall(server);
  for (let attempt = 1; attempt <= START_ATTEMPTS_MAX; attempt++) {
    const child = await spawnServer(server, port ?? (await freePort()));
    let ended = false;
    child.once("exit", () => {
      ended = true;
    });
    const ours = await waitForAnswer(server, () => ended);
    if (ours) return ours;
    // Another process was quicker: then its server is ours too.
    const theirs = await waitForAnswer(server, () => !isHeld(server));
    if (theirs) return theirs;
    // Its recovery takes longer; a server without its pid file ends itself, and the next one begins anew.
    if (!ended) throw broken("is still starting", server);
    // After a restart of the machine: a server passes over the file of a dead process, but not of a stranger.
    if (STRANGERS.has(holderOf(server))) await rm(pidFile(server), { force: true });
    // A port taken meanwhile, or a killed server whose last child has not yet gone.
    await systemClock.sleep(START_PAUSE_MS);
  }
  throw broken("could not start", server);
}

/** Ends sessions at once and writes a checkpoint; when that takes over 20 s, stops without one (the next start recovers). */
export async function stop(server: Server): Promise<void> {
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    const { pid } = readPidFile(server);
    if (!pid || !isAlive(pid)) return;
    process.kill(pid, signal);
    const isDown = () => readPidFile(server).pid !== pid;
    if (!(await pollUntil(isDown, STOP_TIMEOUT_MS))) continue;
    // The file goes a moment before the process; a process that nobody reaps stays a zombie.
    await pollUntil(() => !isAlive(pid), REAP_TIMEOUT_MS);
    return;
  }
  throw broken("does not stop", server);
}

async function pollUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = systemClock.now().getTime() + timeoutMs;
  while (!(await condition())) {
    if (systemClock.now().getTime() > deadline) return false;
    await systemClock.sleep(POLL_MS);
  }
  return true;
}

async function spawnServer(server: Server, port: number): Promise<ChildProcess> {
  const log = await open(logFile(server), "a", 0o600);
  try {
    const settings = settingsOf(server, port).flatMap((setting) => ["-c", setting]);
    const child = spawn(programPath(server, "postgres"), ["-D", dataFolder(server), ...settings], {
      ...server.account,
      cwd: "/",
      env: ENVIRONMENT,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
    });
    // A program that cannot be started ends like one that ends at once.
    child.on("error", () => child.emit("exit", null, null));
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

/** Null when it becomes hopeless, or takes too long. */
async function waitForAnswer(
  server: Server,
  isHopeless: () => boolean | Promise<boolean>,
): Promise<Running | null> {
  let running: Running | null = null;
  await pollUntil(async () => {
    const { status } = readPidFile(server);
    running = status === "ready" ? await findRunning(server) : null;
    return running !== null || (await isHopeless());
  }, START_TIMEOUT_MS);
  return running;
}

/** True when a living server has these files, ready or not. Where nobody tells the commands of processes, its number counts. */
export function isHeld(server: Server): boolean {
  return HOLDERS.has(holderOf(server));
}

/** The living process that the pid file names. */
function holderOf(server: Server): Holder {
  const { pid } = readPidFile(server);
  if (!pid || !isAlive(pid)) return "nobody";
  const command = readNow(`/proc/${pid}/cmdline`);
  // Not Linux, or gone this moment.
  if (command === null) return "unknown";
  const [program = "", ...args] = command.split("\0");
  // As we start it: the machine may run servers of other folders, too.
  return basename(program) === "postgres" && args.includes(dataFolder(server))
    ? "server"
    : "stranger";
}

function readPidFile(server: Pick<Server, "place">): {
  readonly pid: number;
  readonly port: number;
  readonly status: string | undefined;
} {
  const text = readNow(pidFile(server)) ?? "";
  // Process, data folder, start time, port, socket folder, address, shared memory, status.
  const lines = text.split("\n").map((line) => line.trim());
  return { pid: Number(lines[0]), port: Number(lines[3]), status: lines[7] };
}

/** Asked for each second while the server runs: a turn through the threads costs ten times as much as the read. */
function readNow(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function settingsOf(server: Server, port: number): string[] {
  const always = [
    ...[`port=${port}`, "listen_addresses=127.0.0.1", "unix_socket_directories="],
    // Five processes of ours, each with its pool, and whoever looks beside them.
    ...["max_connections=200", "shared_buffers=128MB", "jit=off", "timezone=UTC"],
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

function broken(what: string, server: Server): Error {
  return fault.transient("EMBEDDED_DATABASE_UNAVAILABLE", `embedded PostgreSQL: ${what}`, {
    hint: `see ${logFile(server)}`,
  });
}

async function keepLogSmall(server: Server): Promise<void> {
  const log = logFile(server);
  const size = existsSync(log) ? (await stat(log)).size : 0;
  if (size > LOG_MAX_BYTES) await rename(log, `${log}.old`);
}
