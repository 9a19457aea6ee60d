/** A private ALGOBRAIN_HOME, and what stands in it about its embedded database server. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive } from "./service.js";
import { until } from "./until.js";

/** Lends a new home, and leaves neither files nor a database server of it behind. */
export async function withHome(test: (home: string) => Promise<void>): Promise<void> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "algobrain-home-")));
  // When root runs the tests, another account runs the server: it must be able to enter.
  chmodSync(home, 0o755);
  try {
    await test(home);
  } finally {
    await endServer(home);
    // A process that was killed a moment ago may leave its last file meanwhile.
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

export interface EmbeddedServer {
  /** Of the postmaster. */
  readonly pid: number;
  readonly port: number;
  readonly url: string;
}

/** Null when none runs. */
export function findServer(home: string): EmbeddedServer | null {
  const pointer = join(home, "postgres.json");
  if (!existsSync(pointer)) return null;
  const { folder, password } = JSON.parse(readFileSync(pointer, "utf8")) as Record<string, string>;
  const pidFile = join(String(folder), "data", "postmaster.pid");
  if (!existsSync(pidFile)) return null;
  const lines = readFileSync(pidFile, "utf8").split("\n");
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!isAlive(pid)) return null;
  return { pid, port, url: `postgresql://algobrain:${password}@127.0.0.1:${port}/algobrain` };
}

async function endServer(home: string): Promise<void> {
  const server = findServer(home);
  if (!server) return;
  process.kill(server.pid, "SIGQUIT");
  await until(() => !isAlive(server.pid), "the database server of the test has ended");
}
