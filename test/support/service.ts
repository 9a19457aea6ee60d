/** The real program in processes of its own: `algobrain serve` from dist, as an operator or a platform starts it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isJsonObject, type JsonObject } from "../../src/base/json.js";
import { until } from "./until.js";

const BIN = fileURLToPath(new URL("../../bin/algobrain.js", import.meta.url));

export interface ServiceOptions {
  /** ALGOBRAIN_HOME, of this service alone unless a test wants two. */
  readonly home: string;
  /** Null: the embedded server of the home. */
  readonly databaseUrl?: string | null;
  /** On top of the rest; PORT is a free one by default. */
  readonly env?: Readonly<Record<string, string>>;
  /** After `serve`. */
  readonly args?: readonly string[];
}

export interface ServiceExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Service {
  readonly pid: number;
  /** Log lines of the service and its children, as they came. */
  readonly log: readonly JsonObject[];
  /** What was said on either stream and is no log line. */
  readonly said: readonly string[];
  /** Of this process. */
  readonly exited: Promise<ServiceExit>;
  /** When neither it nor a child of it holds its streams any more. */
  readonly allGone: Promise<void>;
  logged(event: string): JsonObject[];
  kill(signal: NodeJS.Signals): void;
}

export interface ReadyService extends Service {
  readonly url: string;
}

/** Our environment without what would steer the service. */
function environment({ home, databaseUrl, env }: ServiceOptions): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    HOME: home,
    ALGOBRAIN_HOME: home,
    PORT: "0",
    ...(databaseUrl ? { DATABASE_URL: databaseUrl } : {}),
    ...env,
  };
}

/** Resolves at once: for starts that are meant to fail. */
export function launchService(options: ServiceOptions): Service {
  const child = spawn(process.execPath, [BIN, "serve", ...(options.args ?? [])], {
    env: environment(options),
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: JsonObject[] = [];
  const said: string[] = [];
  const exited = once(child, "exit").then(([code, signal]): ServiceExit => ({ code, signal }));
  const allGone = once(child, "close").then(() => {});
  readLines(child.stdout, (line) => said.push(line));
  readLines(child.stderr, (line) => {
    const entry = parse(line);
    if (entry) log.push(entry);
    else said.push(line);
  });
  return {
    ...{ pid: child.pid ?? 0, log, said, exited, allGone },
    logged: (event) => log.filter((entry) => entry.event === event),
    kill: (signal) => child.kill(signal),
  };
}

/** Resolves when it listens. */
export async function startService(options: ServiceOptions): Promise<ReadyService> {
  const service = launchService(options);
  let ended = false;
  void service.exited.then(() => {
    ended = true;
  });
  const started = await until(
    // A worker of it may be quicker, and listens nowhere.
    () => ended || service.logged("runtime.started").find(({ url }) => url !== null),
    "the service listens",
    60_000,
  ).catch((error: unknown) => {
    // Nobody else knows of it.
    service.kill("SIGKILL");
    throw error;
  });
  if (started === true) throw new Error(`the service did not start: ${service.said.join(" | ")}`);
  return { ...service, url: String(started.url) };
}

/** Ends it in order, at most within the drain and a grace; by force when it does not. */
export async function stopService(service: Service): Promise<void> {
  const forced = new AbortController();
  const force = AbortSignal.any([AbortSignal.timeout(30_000), forced.signal]);
  force.addEventListener("abort", () => service.kill("SIGKILL"), { once: true });
  service.kill("SIGTERM");
  await service.allGone;
  forced.abort();
}

/** A zombie, which only waits to be buried by whoever is now its parent, is not alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
  } catch {
    // No such process, or none any more.
    return false;
  }
}

function readLines(stream: ChildProcess["stdout"], take: (line: string) => void): void {
  let rest = "";
  stream?.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") take(line);
  });
}

function parse(line: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : null;
  } catch {
    // Prose: what a person at the terminal reads.
    return null;
  }
}
