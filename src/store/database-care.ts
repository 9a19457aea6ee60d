/** What runbooks may know and do of the database server itself: sessions, backups, restores. */
import { notBuilt } from "../base/not-built.js";
import type { DatabaseReader, DatabaseWriter } from "../runbook/port.js";
import type { Database } from "./database.js";
import { createSessionReader, createSessionWriter } from "./session-care.js";

export interface DatabaseCareOptions {
  /** Where backups are kept. */
  readonly backupsDir: string;
  /** Past any pooler, with the rights of the program: for dumps and restores. */
  readonly directUrl: string;
  readonly poolSize: () => number;
}

export function createDatabaseReader(db: Database, options: DatabaseCareOptions): DatabaseReader {
  return {
    ...createSessionReader(db, options),
    backups: () => notBuilt("backups"),
    counts: () => notBuilt("counts"),
  };
}

export function createDatabaseWriter(db: Database, _options: DatabaseCareOptions): DatabaseWriter {
  return {
    ...createSessionWriter(db),
    backup: () => notBuilt("backup"),
    removeBackup: () => notBuilt("removeBackup"),
    restoreInto: () => notBuilt("restoreInto"),
    dropRestored: () => notBuilt("dropRestored"),
  };
}
