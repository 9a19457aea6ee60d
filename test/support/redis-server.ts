/** A real Redis of a test's own: found on PATH, on a free port, and to be killed or stopped like a real one. */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { until } from "./until.js";

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** With -9, as a dying machine does. Resolves when it is gone. */
  kill(): Promise<void>;
  /** At its port again, and empty. */
  start(): Promise<void>;
  /** Keeps its connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/** Null where none is installed: tests that need it are then skipped by name (scripts/test.mjs). */
export const redisProgram = findProgram("redis-server");

/** Titles of such tests begin with it. */
export const NEEDS_REDIS = "redis-server:";

export async function startRedisServer(...settings: string[]): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-redis-"));
  const port = await freePort();
  let server = await launch(port, folder, settings);
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill: () => kill(server),
    start: async () => {
      server = await launch(port, folder, settings);
    },
    freeze: () => void server.kill("SIGSTOP"),
    thaw: () => void server.kill("SIGCONT"),
    close: async () => {
      await kill(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function findProgram(name: string): string | null {
  const places = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name));
  return places.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function launch(
  port: number,
  folder: string,
  settings: readonly string[],
): Promise<ChildProcess> {
  const listen = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
  const forgetful = ["--save", "", "--appendonly", "no", "--enable-debug-command", "no"];
  const server = spawn(redisProgram ?? "redis-server", [...listen, ...forgetful, ...settings], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await untilReady(server);
  return server;
}

/** It says so itself. */
async function untilReady(server: ChildProcess): Promise<void> {
  let said = "";
  server.stdout?.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  await until(() => {
    if (server.exitCode !== null) throw new Error(`redis-server did not start: ${said}`);
    return said.includes("Ready to accept connections");
  }, "redis-server is ready");
}

export function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return Promise.resolve();
  const gone = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  server.kill("SIGKILL");
  return gone;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
