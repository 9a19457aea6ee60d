/** What runbooks may know and do of the database server itself: sessions, backups, restores. */
import type { DatabaseReader, DatabaseWriter } from "../runbook/database-port.js";
import { checkBackup, listBackups, removeBackup } from "./backup-folder.js";
import type { Database } from "./database.js";
import {
  countRows,
  dropRestored,
  listRestored,
  lookInto,
  restoreInto,
} from "./restored-database.js";
import { requireCapability } from "./run-role.js";
import { createSessionReader, createSessionWriter } from "./session-care.js";
import { type BackupPlace, readBackupRoom, takeBackup } from "./take-backup.js";
import { countByUser, createUserCare } from "./user-care.js";

/** `directUrl`: past any pooler, with the rights of the program, for dumps and restores. */
export interface DatabaseCareOptions extends BackupPlace {
  readonly poolSize: () => number;
  now(): Date;
}

export function createDatabaseReader(db: Database, options: DatabaseCareOptions): DatabaseReader {
  const { backupsDir: folder } = options;
  return {
    ...createSessionReader(db, options),
    sessionsByUser: () => countByUser(db),
    backups: () => listBackups(folder),
    backupRoom: async () => ({ folder, ...(await readBackupRoom(db, folder)) }),
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
      const { id, method, restoreWith } = await takeBackup(options, {
        ...request,
        now: options.now(),
      });
      return { id, method, restoreWith };
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
