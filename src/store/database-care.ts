/** What runbooks may know and do of the database server itself: sessions, backups, restores. */
import { basename } from "node:path";
import type { DatabaseReader, DatabaseWriter } from "../runbook/database-port.js";
import { backupDatabase } from "./backup.js";
import {
  checkBackup,
  freeBytes,
  listBackups,
  removeBackup,
  removeUnfinished,
} from "./backup-folder.js";
import { type Database, openDatabase, type Sql } from "./database.js";
import {
  countRows,
  dropRestored,
  listRestored,
  lookInto,
  type RestoreOptions,
  restoreInto,
} from "./restored-database.js";
import { requireCapability } from "./run-role.js";
import { createSessionReader, createSessionWriter } from "./session-care.js";
import { countByUser, createUserCare } from "./user-care.js";

/** `directUrl`: past any pooler, with the rights of the program, for dumps and restores. */
export interface DatabaseCareOptions extends RestoreOptions {
  readonly environment: string;
  readonly poolSize: () => number;
  now(): Date;
}

export function createDatabaseReader(db: Database, options: DatabaseCareOptions): DatabaseReader {
  const { backupsDir: folder } = options;
  return {
    ...createSessionReader(db, options),
    sessionsByUser: () => countByUser(db),
    backups: () => listBackups(folder),
    backupRoom: async () => ({
      folder,
      databaseBytes: await sizeOf(db),
      freeBytes: await freeBytes(folder),
    }),
    checkBackup: (id) => checkBackup(folder, id),
    counts: () => countRows(db),
    restored: () => listRestored(db),
    lookInto: (database) => lookInto(options, database),
  };
}

/**
 * What it does outside of the database's transactions has the rights of this program: it begins only while the run
 * is held and has the capability, which the statement over `db` makes sure of.
 */
export function createDatabaseWriter(db: Database, options: DatabaseCareOptions): DatabaseWriter {
  const { backupsDir: folder } = options;
  return {
    ...createSessionWriter(db),
    ...createUserCare(db, options),
    backup: async (request) => {
      await requireCapability(db, "database:dump");
      return backup(options, request);
    },
    removeBackup: async (id) => {
      await requireCapability(db, "database:dump");
      return removeBackup(folder, id);
    },
    restoreInto: async (request) => {
      await requireCapability(db, "database:restore");
      await restoreInto(options, request);
    },
    dropRestored: async (database) => {
      await requireCapability(db, "database:restore");
      return dropRestored(options, database);
    },
  };
}

async function sizeOf(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ bytes: number }>(
    "SELECT pg_database_size(current_database())::float8 AS bytes",
  );
  return rows[0]!.bytes;
}

async function backup(
  options: DatabaseCareOptions,
  { suffix, only, signal }: Parameters<DatabaseWriter["backup"]>[0],
) {
  const { directUrl: url, ssl, shell, backupsDir: folder, environment } = options;
  await removeUnfinished(folder, suffix);
  const db = openDatabase({ url, ssl, poolMax: 1, applicationName: "algobrain-backup" });
  try {
    const made = await backupDatabase({
      ...{ db, url, ssl, shell, folder, environment, suffix, only, signal },
      now: options.now(),
    });
    return { id: basename(made.path), method: made.method, restoreWith: made.restoreWith };
  } finally {
    await db.close();
  }
}
