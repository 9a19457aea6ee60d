/** What takes room, and which indexes nobody reads: for people who decide, nothing is changed. */
import type { Sql } from "./database.js";

/** Named in a report; there are few more that matter. */
const NAMED_MAX = 20;

export interface TableSize {
  /** With its schema. */
  readonly table: string;
  readonly liveRows: number;
  readonly deadRows: number;
  /** With its indexes and what is stored outside of the rows. */
  readonly bytes: number;
}

/** Of our two schemas, the largest first. */
export async function listLargestTables(sql: Sql): Promise<TableSize[]> {
  const { rows } = await sql.query<TableSize>(
    `SELECT schemaname || '.' || relname AS table, n_live_tup AS "liveRows", n_dead_tup AS "deadRows",
       pg_total_relation_size(relid) AS bytes
     FROM pg_stat_user_tables WHERE schemaname IN ('public', 'control')
     ORDER BY bytes DESC, 1 LIMIT ${NAMED_MAX}`,
  );
  return rows;
}

export interface UnusedIndex {
  /** Quoted and with its schema: safe in a statement. */
  readonly qualified: string;
  readonly bytes: number;
}

/**
 * Indexes that no statement has read since the statistics began, the largest first. Those that hold something true
 * (unique ones and what constraints need) are not among them, however seldom they are read, nor those by ranges (BRIN):
 * they cost next to nothing, and are there for what people type (docs/decisions/0068-the-text-id-is-derived.md).
 */
export async function listUnusedIndexes(sql: Sql): Promise<UnusedIndex[]> {
  const { rows } = await sql.query<UnusedIndex>(
    `SELECT format('%I.%I', s.schemaname, s.indexrelname) AS qualified, pg_relation_size(s.indexrelid) AS bytes
     FROM pg_stat_user_indexes s JOIN pg_index x ON x.indexrelid = s.indexrelid
     JOIN pg_class i ON i.oid = s.indexrelid JOIN pg_am m ON m.oid = i.relam
     WHERE s.schemaname IN ('public', 'control') AND s.idx_scan = 0 AND NOT x.indisunique AND m.amname <> 'brin'
       AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = s.indexrelid)
     ORDER BY bytes DESC, 1 LIMIT ${NAMED_MAX}`,
  );
  return rows;
}

/**
 * Since when the server counts how often an index is read. One that never reset its statistics says no time: then
 * since its own start, which is later or the same.
 */
export async function readStatisticsSince(sql: Sql): Promise<Date> {
  const { rows } = await sql.query<{ since: Date }>(
    `SELECT coalesce(stats_reset, pg_postmaster_start_time()) AS since FROM pg_stat_database
     WHERE datname = current_database()`,
  );
  return rows[0]!.since;
}
