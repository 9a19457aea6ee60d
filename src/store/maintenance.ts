/** Care of the tables and indexes of our two schemas, without blocking writers. */
import { Fault, fault } from "../base/fault.js";
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

const INSUFFICIENT_PRIVILEGE = "42501";

/** A session for statements that may take `statementMs` each (0: as long as they take), but never wait long for a lock. */
export async function prepareForCare(session: Session, statementMs = 0): Promise<void> {
  await session.query(`SET statement_timeout = ${statementMs}; SET lock_timeout = '10s'`);
}

/** Otherwise the server skips the table with a warning, which looks like work that was done. */
async function mayCareFor(sql: Sql, table: HotTable): Promise<boolean> {
  const { rows } = await sql.query<{ may: boolean }>(
    `SELECT CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN true
       -- A right of its own since PostgreSQL 17.
       WHEN current_setting('server_version_num')::int >= 170000 THEN has_table_privilege(c.oid, 'MAINTAIN')
       ELSE false END AS may
     FROM pg_class c WHERE c.oid = to_regclass($1)`,
    [table],
  );
  // What is not there is the server's to say.
  return rows[0]?.may ?? true;
}

function refuseCare(what: string, cause?: unknown): Fault {
  return fault.refused("DATABASE_CARE_REFUSED", `this database user may not do it: ${what}`, {
    cause,
    hint: "PostgreSQL 17 and newer: algobrain db users gives the right; before, autovacuum vacuums, and indexes are rebuilt by the owner",
  });
}

/**
 * Cannot run inside a transaction. `vacuum` also refreshes the planner's statistics. With `unlessBusy` a
 * table that autovacuum has in hand at the moment is left to it. Throws a refused Fault `DATABASE_CARE_REFUSED`.
 */
export async function careForTable(
  session: Session,
  table: HotTable,
  task: "vacuum" | "analyze",
  unlessBusy = false,
): Promise<void> {
  if (!(await mayCareFor(session, table))) throw refuseCare(`${task} of ${table}`);
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

/** Cannot run inside a transaction. Readers and writers go on. Throws a refused Fault `DATABASE_CARE_REFUSED`. */
export async function rebuildIndex(
  session: Session,
  index: Pick<IndexName, "qualified">,
): Promise<void> {
  try {
    await session.query(`REINDEX INDEX CONCURRENTLY ${index.qualified}`);
  } catch (error) {
    if (!(error instanceof Fault) || error.details.sqlstate !== INSUFFICIENT_PRIVILEGE) throw error;
    throw refuseCare(`rebuild of ${index.qualified}`, error);
  }
}

/** Its owner hinders nobody; others do it by a function that acts as the owner and waits 2 s at most. */
export async function dropLeftoverIndex(session: Session, index: IndexName): Promise<void> {
  const { rows } = await session.query<{ owns: boolean }>(
    "SELECT pg_has_role(relowner, 'USAGE') AS owns FROM pg_class WHERE oid = to_regclass($1)",
    [index.qualified],
  );
  if (rows[0]?.owns === false)
    await session.query("SELECT control.drop_leftover_index($1)", [index.qualified]);
  else await session.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index.qualified}`);
}
