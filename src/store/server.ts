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
