/** Care of the tables and indexes of our two schemas, without blocking writers. */
import type { Session, Sql } from "./database.js";

/** Tables that live work changes all the time. */
export const HOT_TABLES = [
  "public.jobs",
  "public.events",
  "public.claims",
  "public.identities",
  "public.repos",
  "public.scores",
  "public.healdec_log",
  "control.sample",
  "control.inbound",
  "control.notice",
] as const;

export interface TableStatistics {
  readonly table: string;
  readonly liveRows: number;
  readonly deadRows: number;
  readonly bytes: number;
}

/** A session for statements that take as long as they take, but never wait long for a lock. */
export async function prepareForCare(session: Session): Promise<void> {
  await session.query("SET statement_timeout = 0; SET lock_timeout = '10s'");
}

/** Cannot run inside a transaction. `vacuum` also refreshes the planner's statistics. */
export async function careForTable(
  session: Session,
  table: (typeof HOT_TABLES)[number],
  task: "vacuum" | "analyze",
): Promise<void> {
  await session.query(`${task === "vacuum" ? "VACUUM (ANALYZE)" : "ANALYZE"} ${table}`);
}

export async function readTableStatistics(sql: Sql): Promise<TableStatistics[]> {
  const { rows } = await sql.query<TableStatistics>(
    `SELECT schemaname || '.' || relname AS table, n_live_tup AS "liveRows", n_dead_tup AS "deadRows",
       pg_total_relation_size(relid) AS bytes
     FROM pg_stat_user_tables WHERE schemaname || '.' || relname = ANY ($1) ORDER BY 1`,
    [HOT_TABLES],
  );
  return rows;
}

export interface IndexName {
  /** Quoted and with its schema: safe in a statement. */
  readonly qualified: string;
  readonly isValid: boolean;
  /** Left behind by a rebuild that was interrupted: `…_ccnew`, `…_ccold`. */
  readonly isLeftover: boolean;
}

const OUR_INDEXES = `
  SELECT format('%I.%I', n.nspname, c.relname) AS qualified, x.indisvalid AS "isValid",
    NOT x.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AS "isLeftover"
  FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ('public', 'control') ORDER BY 1`;

export async function listIndexes(sql: Sql): Promise<IndexName[]> {
  return (await sql.query<IndexName>(OUR_INDEXES)).rows;
}

/** Cannot run inside a transaction. Readers and writers go on. */
export async function rebuildIndex(session: Session, index: IndexName): Promise<void> {
  await session.query(`REINDEX INDEX CONCURRENTLY ${index.qualified}`);
}

export async function dropLeftoverIndex(session: Session, index: IndexName): Promise<void> {
  await session.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index.qualified}`);
}
