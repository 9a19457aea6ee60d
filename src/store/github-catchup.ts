/** How far the log of an organisation's webhook deliveries was read, and which of them never arrived here. */
import type { Sql } from "./database.js";

/** Null: never read. */
export async function readReached(sql: Sql, owner: string): Promise<Date | null> {
  const { rows } = await sql.query<{ reached: Date }>(
    "SELECT reached FROM control.github_catchup WHERE org = lower($1)",
    [owner],
  );
  return rows[0]?.reached ?? null;
}

/** Never moves back: two that read at the same time may end in any order. */
export async function moveReached(sql: Sql, owner: string, reached: Date): Promise<void> {
  await sql.query(
    `INSERT INTO control.github_catchup AS c (org, reached) VALUES (lower($1), $2)
     ON CONFLICT (org) DO UPDATE SET reached = excluded.reached WHERE c.reached < excluded.reached`,
    [owner, reached],
  );
}

/** Those of the given delivery ids that neither arrived nor became an event. */
export async function findUnarrived(sql: Sql, deliveryIds: readonly string[]): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `SELECT wanted.id FROM unnest($1::text[]) AS wanted(id)
     WHERE NOT EXISTS (SELECT FROM control.inbound i WHERE i.source = 'github' AND i.delivery_id = wanted.id)
       AND NOT EXISTS (SELECT FROM events e WHERE e.delivery_id = wanted.id)`,
    [deliveryIds],
  );
  return rows.map(({ id }) => id);
}
