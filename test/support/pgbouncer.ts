/** A real PgBouncer of a test's own, in transaction mode and otherwise as it comes, before the server of the tests. */
import { spawn } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, freePort, kill } from "./redis-server.js";
import { until } from "./until.js";

/** Null where none is installed: tests that need it are then skipped by name (scripts/test.mjs). */
export const pgbouncerProgram = findProgram("pgbouncer");
/** Titles of such tests begin with it. */
export const NEEDS_PGBOUNCER = "pgbouncer:";
/** It refuses to run as root. */
const NOBODY = 65_534;

/** Lends the address of the same database through it. */
export async function throughPgbouncer(
  databaseUrl: string,
  test: (url: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-pgbouncer-"));
  const port = await freePort();
  const file = join(folder, "pgbouncer.ini");
  await writeFile(file, settings(new URL(databaseUrl), port));
  await chmod(folder, 0o755);
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const server = spawn(pgbouncerProgram ?? "pgbouncer", ["-q", file], {
    stdio: ["ignore", "ignore", "inherit"],
    ...asNobody,
  });
  try {
    await until(() => accepts(port), "pgbouncer accepts connections");
    const url = new URL(databaseUrl);
    url.port = String(port);
    url.hostname = "127.0.0.1";
    await test(url.href);
  } finally {
    await kill(server);
    await rm(folder, { recursive: true, force: true });
  }
}

function settings(server: URL, port: number): string {
  const user = decodeURIComponent(server.username);
  const password = decodeURIComponent(server.password).replaceAll("'", "''");
  return `[databases]
* = host=${server.hostname} port=${server.port} user=${user} password='${password}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    const say = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => say(true));
    socket.once("error", () => say(false));
  });
}
