/**
 * What the group of the services holds in this database (decision 0062). With grant option, since runs get parts of
 * it (capability-grants.ts); of the audit chain and the ledgers of migrations only what the runtime itself does.
 */
import type { Sql } from "./database.js";

const ROWS = "SELECT, INSERT, UPDATE, DELETE";

interface Less {
  readonly gives: readonly string[];
  /** Of all rows' rights, which later tables are given. Nothing else: whoever was handed the rest would lose it. */
  readonly takes: string;
}

/** The chain is appended to by a function alone, and only retention takes from it. */
const LESS: Readonly<Record<string, Less>> = {
  "public.audit_log": { gives: ["SELECT, DELETE"], takes: "INSERT, UPDATE" },
  "control.audit_head": {
    gives: ["SELECT", "UPDATE (kept_from)"],
    takes: "INSERT, UPDATE, DELETE",
  },
  "public.migrations": { gives: ["SELECT"], takes: "INSERT, UPDATE, DELETE" },
  "control.migration": { gives: ["SELECT"], takes: "INSERT, UPDATE, DELETE" },
};

/** A backup that was restored without its rights would leave these to everybody. */
const NOT_FOR_ALL =
  /^control\.(list_sessions|end_session|add_sample_day|drop_sample_day|drop_leftover_index|make_capability_role|make_run_role|lend_run_role|drop_run_role)\(/;

interface Held {
  readonly database: string;
  readonly hasMaintain: boolean;
  readonly publicMayCreate: boolean;
  readonly tables: readonly string[];
  readonly sequences: readonly string[];
  readonly functions: readonly string[];
}

/** All quoted by the server. What others have made in our schemas is theirs to grant. */
const HELD = `
  SELECT format('%I', current_database()) AS database,
    current_setting('server_version_num')::int >= 170000 AS "hasMaintain",
    EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
      WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE') AS "publicMayCreate",
    ${relations("'r', 'p', 'v', 'm'")} AS tables,
    ${relations("'S'")} AS sequences,
    array(SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = 'control' AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
        AND pg_has_role(p.proowner, 'USAGE') ORDER BY 1) AS functions`;

function relations(kinds: string): string {
  return `array(SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'control') AND c.relkind IN (${kinds}) AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1)`;
}

/** Safe to run again; within one transaction. The group's name must be safe in a statement. */
export async function grantsTo(sql: Sql, group: string): Promise<string[]> {
  const { rows } = await sql.query<Held>(HELD);
  const held = rows[0]!;
  const handedOn = `TO ${group} WITH GRANT OPTION`;
  const maintain = held.hasMaintain
    ? [`GRANT MAINTAIN ON ${held.tables.join(", ")} TO ${group}`]
    : [];
  return [
    // Two grants at once on one table are an error of the server: runs grant under the same lock.
    "SELECT pg_advisory_xact_lock(hashtextextended('algobrain capabilities', 0))",
    `GRANT CONNECT ON DATABASE ${held.database} ${handedOn}`,
    `GRANT USAGE ON SCHEMA public, control ${handedOn}`,
    `REVOKE CREATE ON SCHEMA public, control FROM ${group}`,
    ...(held.publicMayCreate ? ["REVOKE CREATE ON SCHEMA public FROM PUBLIC"] : []),
    ...tableGrants(held, group, handedOn),
    ...maintain,
    `GRANT USAGE, SELECT ON SEQUENCE ${held.sequences.join(", ")} ${handedOn}`,
    `REVOKE ALL ON FUNCTION ${held.functions.filter((it) => NOT_FOR_ALL.test(it)).join(", ")} FROM PUBLIC`,
    `GRANT EXECUTE ON FUNCTION ${held.functions.join(", ")} ${handedOn}`,
    ...laterGrants(held, group, handedOn),
  ];
}

function tableGrants({ tables }: Held, group: string, handedOn: string): string[] {
  const whole = tables.filter((name) => !Object.hasOwn(LESS, name));
  const less = tables.filter((name) => Object.hasOwn(LESS, name));
  return [
    `GRANT ${ROWS} ON ${whole.join(", ")} ${handedOn}`,
    ...less.flatMap((table) => [
      `REVOKE ${LESS[table]!.takes} ON ${table} FROM ${group} CASCADE`,
      ...LESS[table]!.gives.map((rights) => `GRANT ${rights} ON ${table} ${handedOn}`),
    ]),
  ];
}

/** What later migrations of this same user make. */
function laterGrants({ hasMaintain }: Held, group: string, handedOn: string): string[] {
  const later = "ALTER DEFAULT PRIVILEGES IN SCHEMA public, control GRANT";
  return [
    `${later} ${ROWS} ON TABLES ${handedOn}`,
    ...(hasMaintain ? [`${later} MAINTAIN ON TABLES TO ${group}`] : []),
    `${later} USAGE, SELECT ON SEQUENCES ${handedOn}`,
    `${later} EXECUTE ON FUNCTIONS ${handedOn}`,
  ];
}
