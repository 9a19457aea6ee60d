/**
 * The days of `control.sample`: one partition each (UTC), made ahead and dropped whole. The first one holds
 * what was there before there were days; the default one takes what no day was made for (decision 0016).
 */
import type { Sql } from "./database.js";

const BOUNDS = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name,
    substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''([^'']+)''\\)')::timestamptz AS until
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE i.inhparent = 'control.sample'::regclass`;

/** Who waits for a lock on a table holds up all who come after: a short try, and again next time. */
const BRIEFLY = "SET LOCAL lock_timeout = '2s'";

/**
 * Makes the partition of the first day that has none, and moves there what the default one holds of it.
 * Returns its name, or null when all days from `today` to `days` after it have theirs. One transaction a day.
 * Throws a transient Fault when others hold the table for longer than 2 s.
 */
export async function addSampleDay(tx: Sql, today: Date, days: number): Promise<string | null> {
  const { rows } = await tx.query<{ name: string }>(NEXT_DAY, [today, days]);
  if (rows.length === 0) return null;
  await tx.query(BRIEFLY);
  await tx.query("LOCK TABLE control.sample_default IN ACCESS EXCLUSIVE MODE");
  // Again, now that nobody else can be at it.
  const [day] = (await tx.query<NextDay>(NEXT_DAY, [today, days])).rows;
  if (!day) return null;
  await tx.query(
    `CREATE TABLE ${day.name} (LIKE control.sample INCLUDING ALL);
     WITH moved AS (
       DELETE FROM control.sample_default WHERE at >= '${day.from}' AND at < '${day.until}' RETURNING *
     ) INSERT INTO ${day.name} SELECT * FROM moved;
     ALTER TABLE control.sample ATTACH PARTITION ${day.name} FOR VALUES FROM ('${day.from}') TO ('${day.until}')`,
  );
  return day.name;
}

interface NextDay {
  readonly name: string;
  /** With its offset, as Postgres writes it: safe in a statement. */
  readonly from: string;
  readonly until: string;
}

/** From where the last one ends, so that days on which nobody made any are made up for. */
const NEXT_DAY = `
  WITH bound AS (${BOUNDS}), day AS (
    SELECT coalesce(max(until) AT TIME ZONE 'UTC', date_trunc('day', $1::timestamptz AT TIME ZONE 'UTC')) AS start FROM bound
  )
  SELECT 'control.sample_' || to_char(start, 'YYYYMMDD') AS name,
    to_char(start, 'YYYY-MM-DD') || ' 00:00+00' AS "from",
    to_char(start + interval '1 day', 'YYYY-MM-DD') || ' 00:00+00' AS until
  FROM day WHERE start <= date_trunc('day', $1::timestamptz AT TIME ZONE 'UTC') + $2 * interval '1 day'`;

/** The partitions that hold nothing younger than `before`, oldest first. */
export async function listSampleDaysBefore(sql: Sql, before: Date): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(
    `SELECT name FROM (${BOUNDS}) AS bound WHERE until <= $1 ORDER BY until`,
    [before],
  );
  return rows.map(({ name }) => name);
}

/** Drops one of `listSampleDaysBefore` and returns how many rows it held. Throws a transient Fault when it is in use for longer than 2 s. */
export async function dropSampleDay(tx: Sql, name: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(`SELECT count(*) AS count FROM ${name}`);
  await tx.query(BRIEFLY);
  await tx.query(`DROP TABLE ${name}`);
  return rows[0]!.count;
}
