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

/**
 * Makes the partition of the first day that has none, and moves there what the default one holds of it.
 * Returns its name, or null when all days from `today` to `days` after it have theirs. One transaction a day.
 * By a function that acts as the owner of the tables, who the runtime need not be (decision 0062).
 * Throws a transient Fault when others hold the table for longer than 2 s.
 */
export async function addSampleDay(tx: Sql, today: Date, days: number): Promise<string | null> {
  const { rows } = await tx.query<{ name: string | null }>(
    "SELECT control.add_sample_day($1, $2) AS name",
    [today, days],
  );
  return rows[0]!.name;
}

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
  const { rows } = await tx.query<{ count: number }>(
    "SELECT control.drop_sample_day($1) AS count",
    [name],
  );
  return rows[0]!.count;
}
