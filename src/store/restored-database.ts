/**
 * Backups put into a database of their own, beside the living one. Each is known by its name and by its comment,
 * so that nothing else is ever dropped. With the rights of the program: a run's role may not make a database.
 */
import { fault } from "../base/fault.js";
import type { RestoredView } from "../runbook/database-port.js";
import type { Programs } from "../runbook/port.js";
import { connectionEnvironment } from "./backup.js";
import { findBackup } from "./backup-folder.js";
import { type Database, openDatabase, type Sql } from "./database.js";
import { findBrokenInvariants } from "./invariants.js";
import { readMigrationFiles } from "./migration-files.js";
import { quote } from "./table-dump.js";
import { restoreTables } from "./table-restore.js";

export interface RestoreOptions {
  readonly backupsDir: string;
  readonly directUrl: string;
  readonly ssl: boolean;
  readonly shell: Programs;
}

const NAME = /^algobrain_restore_[a-z0-9_]{1,40}$/;
/** In the comment of the database, with the backup between them. */
const OURS = "AlgoBrain restore of ";
const COMPLETE = ": complete";
const FILLING = ": not complete";
const PG_RESTORE_TIMEOUT_MS = 3_600_000;
const DUPLICATE_DATABASE = "42P04";
const INSUFFICIENT_PRIVILEGE = "42501";
const OBJECT_IN_USE = "55006";

/** What data of a job platform is about, tables of `public`; by these two databases are compared. */
export const COUNTED = ["jobs", "audit_log", "repos", "identities", "claims", "scores", "events"];

export async function countRows(sql: Sql): Promise<Record<string, number>> {
  const { rows } = await sql.query<{ name: string; count: number }>(
    COUNTED.map(
      (name) => `SELECT 'public.${name}' AS name, count(*)::float8 AS count FROM public.${name}`,
    ).join(" UNION ALL "),
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

/**
 * What names of databases begin with that are made only to try a backup of this one out: others may be on the same
 * server, with trials of their own.
 */
export async function readScratchPrefix(sql: Sql): Promise<string> {
  const { rows } = await sql.query<{ prefix: string }>(
    `SELECT 'algobrain_restore_test_' || oid || '_' AS prefix FROM pg_database WHERE datname = current_database()`,
  );
  return rows[0]!.prefix;
}

export async function listRestored(sql: Sql): Promise<RestoredView[]> {
  const { rows } = await sql.query<{ database: string; comment: string }>(
    `SELECT datname AS database, shobj_description(oid, 'pg_database') AS comment FROM pg_database
     WHERE datname LIKE 'algobrain\\_restore\\_%' AND shobj_description(oid, 'pg_database') LIKE $1
     ORDER BY datname`,
    [`${OURS}%`],
  );
  return rows.map(({ database, comment }) => ({
    database,
    backup: comment.slice(OURS.length).replace(/: (not )?complete$/, ""),
    isComplete: comment.endsWith(COMPLETE) && !comment.endsWith(FILLING),
  }));
}

/** Those of a prefix of `readScratchPrefix`, also one whose maker was killed before it could say of what it is. */
export async function listScratch(sql: Sql, prefix: string): Promise<string[]> {
  const { rows } = await sql.query<{ database: string }>(
    `SELECT datname AS database FROM pg_database WHERE starts_with(datname, $1)
       AND coalesce(shobj_description(oid, 'pg_database'), $2) LIKE $2 || '%' ORDER BY datname`,
    [prefix, OURS],
  );
  return rows.map(({ database }) => database);
}

/** One of `listScratch`, whoever is connected to it. */
export function dropScratchDatabase(options: RestoreOptions, name: string): Promise<unknown> {
  return withDatabase(options, null, (own) => dropHalf(own, checkName(name)));
}

export async function lookInto(options: RestoreOptions, database: string) {
  return withDatabase(options, checkName(database), async (db) => ({
    rows: await countRows(db),
    broken: (await findBrokenInvariants(db)).map(
      ({ invariant, count }) => `${invariant}: ${count}`,
    ),
  }));
}

/** Throws a refused fault when that database is there already, whoever made it. */
export async function restoreInto(
  options: RestoreOptions,
  request: { readonly backup: string; readonly database: string; readonly signal: AbortSignal },
): Promise<void> {
  const database = checkName(request.database);
  const path = await findBackup(options.backupsDir, request.backup);
  await withDatabase(options, null, async (own) => {
    await createDatabase(own, database, request.backup);
    try {
      await fill(options, path, request);
    } catch (thrown) {
      await dropHalf(own, database);
      throw thrown;
    }
    await comment(own, database, `${request.backup}${COMPLETE}`);
  });
}

/** False while somebody is connected to a whole one; a half is nobody's but of who filled it. */
export async function dropRestored(options: RestoreOptions, name: string): Promise<boolean> {
  const database = checkName(name);
  return withDatabase(options, null, async (own) => {
    const found = (await listRestored(own)).find((it) => it.database === database);
    if (!found) return true;
    try {
      await (found.isComplete ? drop : dropHalf)(own, database);
      return true;
    } catch (thrown) {
      if (sqlstateOf(thrown) === OBJECT_IN_USE) return false;
      throw thrown;
    }
  });
}

async function createDatabase(own: Sql, database: string, backup: string): Promise<void> {
  try {
    await own.query(`CREATE DATABASE ${quote(database)} TEMPLATE template0`);
  } catch (thrown) {
    if (sqlstateOf(thrown) === INSUFFICIENT_PRIVILEGE)
      throw fault.refused("RESTORE_REFUSED", "the program's user may not create databases", {
        cause: thrown,
        hint: "ALTER ROLE … CREATEDB, or restore on a server of its own",
      });
    if (sqlstateOf(thrown) !== DUPLICATE_DATABASE) throw thrown;
    throw fault.refused("RESTORE_REFUSED", `there is a database ${database} already`, {
      cause: thrown,
      hint: "it is never restored over a database: drop that one first if nobody needs it",
    });
  }
  await comment(own, database, `${backup}${FILLING}`);
}

async function fill(
  options: RestoreOptions,
  path: string,
  { database, signal }: { readonly database: string; readonly signal: AbortSignal },
): Promise<void> {
  if (!path.endsWith(".dump")) {
    const files = await readMigrationFiles();
    await withDatabase(options, database, (db) => restoreTables(db, path, files));
    return;
  }
  const env = connectionEnvironment(urlOf(options, database), options.ssl);
  // Rights are of roles that belong to the other database; whoever works here makes its own.
  const { exitCode, stderr, endedBy } = await options.shell.run(
    ["pg_restore", "--exit-on-error", "--no-acl", "--no-owner", `--dbname=${database}`, path],
    { signal, timeoutMs: PG_RESTORE_TIMEOUT_MS, env },
  );
  if (exitCode !== 0)
    throw fault.transient(
      "RESTORE_FAILED",
      `pg_restore ended by ${endedBy} with ${exitCode}: ${stderr.trim()}`,
    );
}

const comment = (own: Sql, database: string, text: string) =>
  own.query(`COMMENT ON DATABASE ${quote(database)} IS '${OURS}${text}'`);

const drop = (own: Sql, database: string) =>
  own.query(`DROP DATABASE IF EXISTS ${quote(database)}`);

/** The server works on for a while for a pg_restore that was killed. */
const dropHalf = (own: Sql, database: string) =>
  own.query(`DROP DATABASE IF EXISTS ${quote(database)} WITH (FORCE)`);

function checkName(database: string): string {
  if (NAME.test(database)) return database;
  throw fault.refused(
    "RESTORE_REFUSED",
    `found the name "${database.slice(0, 60)}", expected algobrain_restore_ and up to 40 letters, digits and _`,
  );
}

function urlOf({ directUrl }: RestoreOptions, database: string): string {
  const url = new URL(directUrl);
  url.pathname = `/${database}`;
  return url.toString();
}

/** Null: the one that the program works on. */
async function withDatabase<T>(
  options: RestoreOptions,
  database: string | null,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const db = openDatabase({
    url: database === null ? options.directUrl : urlOf(options, database),
    ...{ poolMax: 1, applicationName: "algobrain-backup", ssl: options.ssl },
  });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

function sqlstateOf(thrown: unknown): unknown {
  const { details } = thrown as { readonly details?: { readonly sqlstate?: unknown } };
  return details?.sqlstate;
}
