/** What the user of this connection may do with our tables, and lacks (HB-aws-24). */
import type { Sql } from "./database.js";

export interface DatabaseRights {
  readonly user: string;
  /** Then it may do all that follows. */
  readonly ownsTables: boolean;
  /** Tables whose rows it may not read and write as the runtime does, with their schema; none of its own are here. */
  readonly missing: readonly string[];
  readonly mayCreateDatabases: boolean;
  /** VACUUM, ANALYZE and REINDEX. */
  readonly mayMaintain: boolean;
  /** What other users' sessions do. */
  readonly seesOthers: boolean;
}

/** Of these fewer rights are enough: the audit chain is appended to by a function, the ledgers are read. */
const READ_ONLY = ["audit_log", "audit_head", "migrations", "migration"];

export async function readDatabaseRights(sql: Sql): Promise<DatabaseRights> {
  const { rows } = await sql.query<DatabaseRights>(
    `WITH ours AS (
       SELECT c.oid, format('%s.%s', n.nspname, c.relname) AS name, c.relname, pg_has_role(c.relowner, 'USAGE') AS own
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname IN ('public', 'control') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
     )
     SELECT current_user AS user, coalesce((SELECT bool_and(own) FROM ours), false) AS "ownsTables",
       array(SELECT name FROM ours WHERE NOT (has_table_privilege(oid, 'SELECT') AND (relname = ANY ($1) OR (
         has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))))
         ORDER BY name) AS missing,
       rolsuper OR rolcreatedb AS "mayCreateDatabases",
       ${MAY_MAINTAIN} AS "mayMaintain",
       pg_has_role('pg_read_all_stats', 'USAGE') AS "seesOthers"
     FROM pg_roles WHERE rolname = current_user`,
    [READ_ONLY],
  );
  return rows[0]!;
}

/** A right of its own since PostgreSQL 17; before, the owner's alone. */
const MAY_MAINTAIN = `coalesce((SELECT bool_and(own OR CASE WHEN current_setting('server_version_num')::int >= 170000
  THEN has_table_privilege(oid, 'MAINTAIN') ELSE false END) FROM ours), false)`;
