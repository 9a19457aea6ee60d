/** The configuration of a command, and the database it works on: given, or this home's embedded one. */
import { isAbsolute, resolve } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../adapter/embedded-postgres.js";
import { Fault, fault } from "../base/fault.js";
import { silentLogger } from "../base/log.js";
import { type Config, readConfig } from "../runtime/config.js";
import { ensureHome } from "../runtime/home.js";
import { type Database, openDatabase } from "../store/database.js";
import { migrate } from "../store/migrate.js";
import {
  HANDBOOK_MIGRATIONS,
  type MigrationFiles,
  readMigrationFiles,
} from "../store/migration-files.js";
import type { CommandIo } from "./command.js";

/** Throws a refused Fault that lists every problem of the environment. Warnings go to standard error. */
export async function openConfig(io: CommandIo): Promise<Config> {
  const read = readConfig(io.env);
  if (!read.ok) {
    const lines = read.problems.map(({ message }) => `  ${message}`);
    throw fault.refused("CONFIG_INVALID", ["the environment is wrong:", ...lines].join("\n"), {
      hint: "docs/operating.md lists every variable",
    });
  }
  for (const warning of read.warnings) io.err(`warning: ${warning}`);
  const home = isAbsolute(read.value.home) ? read.value.home : resolve(io.cwd, read.value.home);
  return { ...read.value, home };
}

/** Lends the URL; an embedded server that had to be started for this is stopped again. */
export async function withDatabaseUrl<T>(
  config: Config,
  work: (url: string, embedded: EmbeddedPostgres | null) => Promise<T>,
): Promise<T> {
  if (config.database.url !== null) return work(config.database.url, null);
  await ensureHome(config.home);
  const server = await startEmbeddedPostgres({ home: config.home, log: silentLogger });
  try {
    return await work(server.url, server);
  } finally {
    await server.stop();
  }
}

/**
 * The database of this configuration, as this program needs it, under the name `algobrain-cli`. An embedded
 * one is brought up to the program; a shared one is never changed by looking at it.
 */
export async function withDatabase<T>(
  io: CommandIo,
  work: (db: Database, config: Config) => Promise<T>,
): Promise<T> {
  const config = await openConfig(io);
  return withDatabaseUrl(config, (url, embedded) =>
    withOpenDatabase(url, config, async (db) => {
      await prepareSchema(db, embedded === null);
      return work(db, config);
    }),
  );
}

async function prepareSchema(db: Database, isShared: boolean): Promise<void> {
  const files = productOnly(await readMigrationFiles());
  const { applied } = await migrate(db, files, { dryRun: isShared });
  if (!isShared || applied.length === 0) return;
  throw fault.refused(
    "DATABASE_BEHIND",
    `this database lacks ${applied.length} migrations of this program: ${applied.join(", ")}`,
    { hint: "apply them with: algobrain db migrate (starting the runtime does the same)" },
  );
}

/** Those from 006 on are the operator's to apply, and to roll back. */
function productOnly(files: MigrationFiles): MigrationFiles {
  const ours: readonly string[] = HANDBOOK_MIGRATIONS;
  return { ...files, public: files.public.filter(({ name }) => ours.includes(name)) };
}

export async function withOpenDatabase<T>(
  url: string,
  config: Config,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const { ssl } = config.database;
  const db = openDatabase({ url, ssl, poolMax: 2, applicationName: "algobrain-cli" });
  try {
    return await work(db);
  } catch (error) {
    throw saysWhere(error, url);
  } finally {
    await db.close();
  }
}

/** Which server does not answer is the first thing that one asks. */
function saysWhere(error: unknown, url: string): unknown {
  if (!(error instanceof Fault) || error.code !== "DATABASE_UNAVAILABLE") return error;
  const { host } = new URL(url);
  return fault.transient(error.code, `the database at ${host} does not answer: ${error.message}`, {
    cause: error,
    hint: "is DATABASE_URL right, and is the server up?",
  });
}
