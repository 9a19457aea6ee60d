/**
 * Leadership and other singletons: a named lease with a holder, an end, and a fencing number that only
 * grows. Two orchestrators are normal; one of them leads. Time is the database's.
 */
import type { Sql } from "./database.js";

/** Null while somebody else holds it. Whoever takes it gets a larger fence than anyone before. */
export async function takeLease(
  sql: Sql,
  lease: { readonly name: string; readonly holder: string; readonly ttlMs: number },
): Promise<{ fence: number } | null> {
  const { rows } = await sql.query<{ fence: number }>(
    `INSERT INTO control.lease AS l (name, holder, expires_at)
     VALUES ($1, $2, now() + $3 * interval '1 ms')
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = l.fence + 1,
       expires_at = excluded.expires_at, beat_at = now()
     WHERE l.expires_at <= now() OR l.holder = excluded.holder
     RETURNING fence`,
    [lease.name, lease.holder, lease.ttlMs],
  );
  return rows[0] ?? null;
}

/** False when it was lost: whoever led must stop at once. */
export async function keepLease(
  sql: Sql,
  lease: {
    readonly name: string;
    readonly holder: string;
    readonly fence: number;
    readonly ttlMs: number;
  },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE control.lease SET expires_at = now() + $4 * interval '1 ms', beat_at = now()
     WHERE name = $1 AND holder = $2 AND fence = $3`,
    [lease.name, lease.holder, lease.fence, lease.ttlMs],
  );
  return rowCount === 1;
}

/** Lets another take it at once. False when it was not ours any more. */
export async function dropLease(
  sql: Sql,
  lease: { readonly name: string; readonly holder: string; readonly fence: number },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE control.lease SET expires_at = now() WHERE name = $1 AND holder = $2 AND fence = $3`,
    [lease.name, lease.holder, lease.fence],
  );
  return rowCount === 1;
}

export async function isLeaseHeld(sql: Sql, name: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    "SELECT FROM control.lease WHERE name = $1 AND expires_at > now()",
    [name],
  );
  return rowCount === 1;
}
