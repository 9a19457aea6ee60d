/** Transactions that hold others up by their age. */
import type { Sql } from "./database.js";

export interface OldTransaction {
  readonly pid: number;
  readonly application: string;
  readonly seconds: number;
}

/**
 * The oldest transaction of this database that began more than `seconds` ago; null: none. A concurrent rebuild of an
 * index waits for whatever may still read the old one (PostgreSQL, REINDEX, "Rebuilding Indexes Concurrently").
 */
export async function findOldTransaction(
  sql: Sql,
  seconds: number,
): Promise<OldTransaction | null> {
  const { rows } = await sql.query<OldTransaction>(
    `SELECT pid, coalesce(nullif(application_name, ''), backend_type) AS application,
       extract(epoch FROM now() - xact_start)::int AS seconds
     FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND xact_start < now() - make_interval(secs => $1)
     ORDER BY xact_start LIMIT 1`,
    [seconds],
  );
  return rows[0] ?? null;
}
