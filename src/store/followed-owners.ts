/**
 * The organisations and users whose repositories somebody asked for: sync comes back to these, and to nobody whom a
 * repository was merely transferred to. With each, how far its log of webhook deliveries was read.
 */
import type { Sql } from "./database.js";

export interface Owner {
  readonly host: string;
  /** Login; GitHub's know no upper case. */
  readonly owner: string;
}

function keyOf({ host, owner }: Owner): string {
  return `${host}/${owner.toLowerCase()}`;
}

export async function followOwner(sql: Sql, owner: Owner): Promise<void> {
  await sql.query(
    `INSERT INTO control.github_catchup (org, reached) VALUES ($1, 'epoch') ON CONFLICT DO NOTHING`,
    [keyOf(owner)],
  );
}

/** By name, in small letters. */
export async function listFollowed(sql: Sql, host: string): Promise<string[]> {
  const { rows } = await sql.query<{ owner: string }>(
    `SELECT substr(org, length($1) + 2) AS owner FROM control.github_catchup
     WHERE starts_with(org, $1 || '/') ORDER BY org`,
    [host],
  );
  return rows.map(({ owner }) => owner);
}

/** The time up to which its log was read; 1970 for one that was never read. */
export async function readReached(sql: Sql, owner: Owner): Promise<Date> {
  const { rows } = await sql.query<{ reached: Date }>(
    "SELECT reached FROM control.github_catchup WHERE org = $1",
    [keyOf(owner)],
  );
  return rows[0]?.reached ?? new Date(0);
}

/** Never moves back: two that read at the same time may end in any order. */
export async function moveReached(sql: Sql, owner: Owner, reached: Date): Promise<void> {
  await sql.query(
    `INSERT INTO control.github_catchup AS c (org, reached) VALUES ($1, $2)
     ON CONFLICT (org) DO UPDATE SET reached = excluded.reached WHERE c.reached < excluded.reached`,
    [keyOf(owner), reached],
  );
}
