/** The configuration of a command, and the database it works on: given, or this home's embedded one. */
import { isAbsolute, resolve } from "node:path";
import { startEmbeddedPostgres } from "../adapter/embedded-postgres.js";
import { fault } from "../base/fault.js";
import { silentLogger } from "../base/log.js";
import { type Config, readConfig } from "../runtime/config.js";
import { withLocalSecrets } from "../runtime/local-secrets.js";
import { type Database, openDatabase } from "../store/database.js";
import { migrate } from "../store/migrate.js";
import { readMigrationFiles } from "../store/migration-files.js";
import type { CommandIo } from "./command.js";

/** Throws a refused Fault that lists every problem of the environment. Warnings go to standard error. */
export async function openConfig(io: CommandIo): Promise<Config> {
  const read = readConfig(io.env);
  if (!read.ok) {
    throw fault.refused("CONFIG_INVALID", read.problems.map(({ message }) => message).join("\n"), {
      hint: "docs/operating.md lists every variable",
    });
  }
  for (const warning of read.warnings) io.err(`warning: ${warning}`);
  const home = isAbsolute(read.value.home) ? read.value.home : resolve(io.cwd, read.value.home);
  return withLocalSecrets({ ...read.value, home });
}

/** Lends the URL; an embedded server that had to be started for this is stopped again. */
export async function withDatabaseUrl<T>(
  config: Config,
  work: (url: string) => Promise<T>,
): Promise<T> {
  if (config.database.url !== null) return work(config.database.url);
  const server = await startEmbeddedPostgres({ home: config.home, log: silentLogger });
  try {
    return await work(server.url);
  } finally {
    await server.stop();
  }
}

/** The database of this configuration, brought up to this program, under the name `algobrain-cli`. */
export async function withDatabase<T>(
  io: CommandIo,
  work: (db: Database, config: Config) => Promise<T>,
): Promise<T> {
  const config = await openConfig(io);
  return withDatabaseUrl(config, (url) =>
    withOpenDatabase(url, config, async (db) => {
      await migrate(db, await readMigrationFiles());
      return work(db, config);
    }),
  );
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
  } finally {
    await db.close();
  }
}
