/** What ails the tables: who holds back vacuum, dead rows that stay, indexes far larger than their rows need. */
import type { Sql } from "./database.js";

/** As long as it stands, no row that dies after it can be taken away, and claims step over all of them. */
export interface SnapshotHolder {
  readonly kind: "session" | "prepared transaction" | "replication slot";
  /** Application, transaction or slot. */
  readonly name: string;
  /** Null where no process has it. */
  readonly pid: number | null;
  /** `idle in transaction`, `active`, …; null where there is none. */
  readonly state: string | null;
  /** Milliseconds since its transaction began; null where the server does not know, as of slots. */
  readonly heldMs: number | null;
  /** The oldest transaction that it may still see. */
  readonly horizon: string;
}

/** Those of this database, oldest first. What other roles do is seen with `pg_read_all_stats` only. */
export async function listSnapshotHolders(sql: Sql): Promise<SnapshotHolder[]> {
  const { rows } = await sql.query<SnapshotHolder>(
    `SELECT 'session' AS kind, coalesce(nullif(application_name, ''), backend_type) AS name, pid, state,
       (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8 AS "heldMs",
       coalesce(backend_xmin, backend_xid)::text AS horizon
     FROM pg_stat_activity
     WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
       AND coalesce(backend_xmin, backend_xid) IS NOT NULL
       -- Without a database are processes that serve all of them, and for a moment clients that are starting.
       AND (datname = current_database() OR (datname IS NULL AND backend_type <> 'client backend'))
       -- A vacuum holds back no other.
       AND pid NOT IN (SELECT v.pid FROM pg_stat_progress_vacuum v)
     UNION ALL
     SELECT 'prepared transaction', gid, NULL, NULL,
       extract(epoch FROM clock_timestamp() - prepared) * 1000, transaction::text
     FROM pg_prepared_xacts WHERE database = current_database()
     UNION ALL
     SELECT 'replication slot', slot_name, active_pid, NULL, NULL, xmin::text
     FROM pg_replication_slots WHERE xmin IS NOT NULL
     ORDER BY 5 DESC NULLS LAST`,
  );
  return rows;
}

export interface VacuumNeed {
  /** With its schema. */
  readonly table: string;
  readonly liveRows: number;
  readonly deadRows: number;
  /** Dead rows at which autovacuum comes, by the table's own settings. */
  readonly vacuumAtRows: number;
  /** Rows changed since statistics were taken, and the number at which autovacuum takes them anew. */
  readonly changedRows: number;
  readonly analyzeAtRows: number;
  /** Since it was last vacuumed by whomever, or since the server started. */
  readonly unvacuumedMs: number;
  readonly bytes: number;
}

/** Of the tables that are there, in order of their names. */
export async function readVacuumNeeds(sql: Sql, tables: readonly string[]): Promise<VacuumNeed[]> {
  const { rows } = await sql.query<VacuumNeed>(
    `SELECT s.schemaname || '.' || s.relname AS table, s.n_live_tup AS "liveRows", s.n_dead_tup AS "deadRows",
       (${option("vacuum_threshold")} + ${option("vacuum_scale_factor")} * s.n_live_tup)::float8 AS "vacuumAtRows",
       s.n_mod_since_analyze AS "changedRows",
       (${option("analyze_threshold")} + ${option("analyze_scale_factor")} * s.n_live_tup)::float8 AS "analyzeAtRows",
       (extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum, pg_postmaster_start_time()))
         * 1000)::float8 AS "unvacuumedMs",
       pg_total_relation_size(s.relid) AS bytes
     FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
     WHERE s.relid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name) ORDER BY 1`,
    [tables],
  );
  return rows;
}

function option(name: string): string {
  return `coalesce((SELECT o.option_value FROM pg_options_to_table(c.reloptions) o
    WHERE o.option_name = 'autovacuum_${name}'), current_setting('autovacuum_${name}'))::float8`;
}

export interface IndexSize {
  /** Quoted and with its schema: safe in a statement. */
  readonly qualified: string;
  readonly bytes: number;
  /** What its entries would take in a new index, roughly: as many as the last vacuum or analyze saw. */
  readonly neededBytes: number;
}

/** An index below this is worth nobody's care, however much of it is air. */
export const INDEX_FLOOR_BYTES = 4 * 1024 * 1024;

/**
 * Valid indexes of a table, largest first. The estimate of a btree: entries × (12 bytes of header + the columns' mean
 * width), on pages that are nine tenths full. Equal keys are stored once, so it errs on the side of health. One by
 * ranges (BRIN) has no entry for a row, though an analyze writes down that it has: it needs what it has.
 */
export async function readIndexSizes(sql: Sql, table: string): Promise<IndexSize[]> {
  const { rows } = await sql.query<IndexSize>(
    `SELECT format('%I.%I', n.nspname, i.relname) AS qualified, pg_relation_size(i.oid) AS bytes,
       CASE WHEN m.amname = 'btree' THEN greatest(i.reltuples, 0)::float8 * (12 + 8 * ceil(coalesce(w.width, 8) / 8.0)) / 0.9
         ELSE pg_relation_size(i.oid)::float8 END AS "neededBytes"
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace
     JOIN pg_am m ON m.oid = i.relam
     CROSS JOIN LATERAL (
       -- Columns of expressions have statistics under the index's own name.
       SELECT sum(coalesce(s.avg_width, 8)) AS width FROM pg_attribute a
       LEFT JOIN pg_class t ON t.oid = x.indrelid
       LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename IN (t.relname, i.relname) AND s.attname = a.attname
       WHERE a.attrelid = i.oid AND a.attnum > 0) AS w
     WHERE x.indrelid = $1::regclass AND x.indisvalid AND i.relkind = 'i' ORDER BY bytes DESC`,
    [table],
  );
  return rows;
}
