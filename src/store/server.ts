/** What the database server says of itself. */
import type { Sql } from "./database.js";

export interface DatabaseServer {
  /** `18.4`. */
  readonly version: string;
  /** By its clock, at this moment: not of the transaction. */
  readonly now: Date;
}

export async function readServer(sql: Sql): Promise<DatabaseServer> {
  const { rows } = await sql.query<DatabaseServer>(
    `SELECT current_setting('server_version') AS version, clock_timestamp() AS now`,
  );
  return rows[0]!;
}

/** `now` of this process, but never later than the server's: a clock that is ahead must not make anything due or old. */
export async function notAhead(sql: Sql, now: Date): Promise<Date> {
  const { now: theirs } = await readServer(sql);
  return theirs < now ? theirs : now;
}

/** False after a fail-over that left us at a standby, or where the whole database was made read-only. */
export async function isWritable(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query<{ isReadOnly: boolean }>(
    `SELECT current_setting('transaction_read_only') = 'on' AS "isReadOnly"`,
  );
  return !rows[0]!.isReadOnly;
}
