/** Care of the tables and indexes of our two schemas, without blocking writers. */
import type { Session, Sql } from "./database.js";

/** Tables that live work changes all the time. What comes and goes by partitions dies at once; these die row by row. */
export const HOT_TABLES = [
  "public.jobs",
  "public.events",
  "public.claims",
  "public.identities",
  "public.repos",
  "public.scores",
  "public.healdec_log",
  "public.workers",
  "control.job_attempt",
  "control.job_line",
  "control.sample",
  "control.sample_round",
  "control.sample_chunk",
  "control.inbound",
  "control.notice",
  "control.run",
  "control.run_step",
  "control.lease",
  "control.alert_state",
  "control.alert_group",
  "control.audit_head",
] as const;
export type HotTable = (typeof HOT_TABLES)[number];

/** A session for statements that may take `statementMs` each (0: as long as they take), but never wait long for a lock. */
export async function prepareForCare(session: Session, statementMs = 0): Promise<void> {
  await session.query(`SET statement_timeout = ${statementMs}; SET lock_timeout = '10s'`);
}

/**
 * Cannot run inside a transaction. `vacuum` also refreshes the planner's statistics. With `unlessBusy` a
 * table that autovacuum has in hand at the moment is left to it.
 */
export async function careForTable(
  session: Session,
  table: HotTable,
  task: "vacuum" | "analyze",
  unlessBusy = false,
): Promise<void> {
  const skip = unlessBusy ? "SKIP_LOCKED" : "SKIP_LOCKED false";
  await session.query(`${task === "vacuum" ? "VACUUM (ANALYZE," : "ANALYZE ("} ${skip}) ${table}`);
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
  -- Of a partitioned table only the parts have something to rebuild.
  WHERE n.nspname IN ('public', 'control') AND c.relkind = 'i' ORDER BY 1`;

export async function listIndexes(sql: Sql): Promise<IndexName[]> {
  return (await sql.query<IndexName>(OUR_INDEXES)).rows;
}

/** Cannot run inside a transaction. Readers and writers go on. */
export async function rebuildIndex(
  session: Session,
  index: Pick<IndexName, "qualified">,
): Promise<void> {
  await session.query(`REINDEX INDEX CONCURRENTLY ${index.qualified}`);
}

export async function dropLeftoverIndex(session: Session, index: IndexName): Promise<void> {
  await session.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index.qualified}`);
}
