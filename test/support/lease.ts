/** Who holds a lease, read back from its row. */
import type { Sql } from "../../src/store/database.js";

export interface Lease {
  readonly holder: string;
  readonly fence: number;
  /** By the database's clock, negative once expired. */
  readonly remainingMs: number;
}

export async function readLease(sql: Sql, name: string): Promise<Lease | null> {
  const { rows } = await sql.query<Lease>(
    `SELECT holder, fence, (extract(epoch FROM expires_at - now()) * 1000)::float8 AS "remainingMs"
     FROM control.lease WHERE name = $1`,
    [name],
  );
  return rows[0] ?? null;
}
