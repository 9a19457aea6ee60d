/** A backup of the database that the program works on, with what was in it at that moment. */
import { basename } from "node:path";
import { type Backup, backupDatabase } from "./backup.js";
import { freeBytes, removeUnfinished } from "./backup-folder.js";
import { type Database, openDatabase, type Sql } from "./database.js";
import { countRows, type RestoreOptions } from "./restored-database.js";

/** `directUrl`: past any pooler, with the rights of the program. */
export interface BackupPlace extends RestoreOptions {
  /** Part of the name of each backup. */
  readonly environment: string;
}

export interface BackupWish {
  /** After the time in its name: whose it is, such as `run-17`. What that one left half done is removed first. */
  readonly suffix: string;
  readonly only?: "schema" | { readonly table: string } | undefined;
  readonly now: Date;
  readonly signal: AbortSignal;
}

export interface TakenBackup extends Omit<Backup, "path"> {
  readonly id: string;
  /** By table, rows in it: what a restore of it must come to. Null where its own manifest says so. */
  readonly rows: Readonly<Record<string, number>> | null;
}

/** Throws the Faults of `backupDatabase`. */
export async function takeBackup(place: BackupPlace, wish: BackupWish): Promise<TakenBackup> {
  const { directUrl: url, ssl, shell, backupsDir: folder, environment } = place;
  const { suffix, only, now, signal } = wish;
  await removeUnfinished(folder, suffix);
  // One for the moment that is held, one for the rest.
  const db = openDatabase({ url, ssl, poolMax: 2, applicationName: "algobrain-backup" });
  try {
    return await atOneMoment(db, async (snapshot, rows) => {
      const made = await backupDatabase({
        ...{ db, url, ssl, shell, folder, environment, suffix, only, now, signal, snapshot },
      });
      const { method, restoreWith } = made;
      const isTold = method === "tables";
      return { id: basename(made.path), method, restoreWith, rows: isTold ? null : rows };
    });
  } finally {
    await db.close();
  }
}

/** Others may read the same moment by the name of its snapshot for as long as `work` takes. */
function atOneMoment<T>(
  db: Database,
  work: (snapshot: string, rows: Record<string, number>) => Promise<T>,
): Promise<T> {
  return db.connect(async (session) => {
    await session.query("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0");
    await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const { rows } = await session.query<{ name: string }>("SELECT pg_export_snapshot() AS name");
    const done = await work(rows[0]!.name, await countRows(session));
    await session.query("COMMIT");
    return done;
  });
}

export interface BackupRoom {
  readonly databaseBytes: number;
  readonly freeBytes: number;
}

export async function readBackupRoom(sql: Sql, folder: string): Promise<BackupRoom> {
  const { rows } = await sql.query<{ bytes: number }>(
    "SELECT pg_database_size(current_database())::float8 AS bytes",
  );
  return { databaseBytes: rows[0]!.bytes, freeBytes: await freeBytes(folder) };
}
