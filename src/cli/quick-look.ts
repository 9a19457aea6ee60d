/** A look at the database that nobody should have to wait for: one that is away is a reason, not a failure. */
import { findEmbeddedUrl } from "../adapter/embedded-postgres.js";
import { errorMessage } from "../base/fault.js";
import { type Database, openDatabase } from "../store/database.js";
import type { CommandIo } from "./command.js";
import { openConfig } from "./settings.js";

export type Looked<T> =
  | { readonly found: true; readonly value: T }
  /** The end of a sentence. */
  | { readonly found: false; readonly why: string };

/** Starts no server and changes none. `waitMs` bounds the connection and each statement. Throws nothing. */
export async function lookQuickly<T>(
  io: CommandIo,
  waitMs: number,
  look: (db: Database) => Promise<T>,
): Promise<Looked<T>> {
  try {
    const { database, home } = await openConfig(io);
    const url = database.url ?? (await findEmbeddedUrl(home));
    if (url === null) return { found: false, why: "the database of this machine is not running" };
    const db = openDatabase({
      ...{ url, ssl: database.ssl, poolMax: 1, applicationName: "algobrain-cli" },
      ...{ connectTimeoutMs: waitMs, statementTimeoutMs: waitMs },
    });
    try {
      return { found: true, value: await look(db) };
    } finally {
      await db.close();
    }
  } catch (thrown) {
    return { found: false, why: errorMessage(thrown) };
  }
}
