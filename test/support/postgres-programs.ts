/** A server and its client programs of one version, as a system's package brings them: what npm brings has no pg_dump. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findAccount } from "../../src/adapter/postgres/account.js";
import {
  DATABASE_NAME,
  initialise,
  type Server,
  start,
  stop,
  USER_NAME,
} from "../../src/adapter/postgres/server.js";

/** Where Debian keeps each version's programs. */
const VERSIONS = "/usr/lib/postgresql";
const NEEDED = ["initdb", "postgres", "pg_dump", "pg_restore"];

/** Null where none are installed: tests that need them are then skipped by name (scripts/test.mjs). */
export const postgresPrograms = findNewest();
/** Titles of such tests begin with it. */
export const NEEDS_POSTGRES_PROGRAMS = "pg_dump:";

function findNewest(): { readonly binFolder: string; readonly version: string } | null {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS) : [];
  const found = versions
    .map((version) => ({ version, binFolder: join(VERSIONS, version, "bin") }))
    .filter(({ binFolder }) => NEEDED.every((name) => existsSync(join(binFolder, name))))
    .sort((a, b) => Number(b.version) - Number(a.version));
  return found[0] ?? null;
}

export interface OwnServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** With an empty database, on a free port; its files go with it. */
export async function startOwnServer(): Promise<OwnServer> {
  const account = await findAccount();
  const folder = await mkdtemp(join(tmpdir(), "algobrain-own-postgres-"));
  if (account) await chown(folder, account.uid, account.gid);
  const server: Server = {
    account,
    program: postgresPrograms ?? { binFolder: "", version: "" },
    place: { folder, password: randomBytes(12).toString("hex") },
    disposable: true,
  };
  await initialise(server);
  const { port } = await start(server);
  const { password } = server.place;
  return {
    url: `postgresql://${USER_NAME}:${password}@127.0.0.1:${port}/${DATABASE_NAME}`,
    stop: async () => {
      await stop(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
