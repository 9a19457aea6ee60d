/**
 * Brings a database up to the program. The handbook's tables come first (ledger `migrations`, HB-db-01),
 * then ours (schema `control`, ledger `control.migration`): design 8.1, X-73. Each file is one
 * transaction; an advisory lock lets two starters at once apply each file once (HB-cli-02, X-75).
 */
import { errorMessage, Fault, fault } from "../base/fault.js";
import type { Database, Sql } from "./database.js";
import type { MigrationFile, MigrationFiles } from "./migration-files.js";

export interface MigrationReport {
  /** Applied now; with `dryRun`, what would be applied. In order. */
  readonly applied: readonly string[];
  /** In our ledger, but unknown to this program: a newer release was here. Older programs may go on (expand, then contract). */
  readonly newer: readonly string[];
}

/** Any number that other programs on the database are unlikely to lock. */
const LOCK_KEY = 7_205_759_403;
const LOCK_TIMEOUT_MS = 300_000;

const LEDGERS = `
CREATE TABLE IF NOT EXISTS public.migrations (
  id         integer PRIMARY KEY,
  name       text NOT NULL UNIQUE,
  applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE SCHEMA IF NOT EXISTS control;
CREATE TABLE IF NOT EXISTS control.migration (
  id         integer PRIMARY KEY,
  name       text NOT NULL UNIQUE,
  checksum   text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);`;

interface Ledger {
  /** Both tables are there. */
  readonly stands: boolean;
  readonly public: readonly { id: number; name: string }[];
  readonly control: readonly { id: number; name: string; checksum: string }[];
}

/** Throws a Fault `MIGRATION_REFUSED` before anything is touched, or `MIGRATION_FAILED` naming the file. */
export async function migrate(
  db: Database,
  files: MigrationFiles,
  options: { dryRun?: boolean } = {},
): Promise<MigrationReport> {
  return db.connect(async (sql) => {
    const ledger = await readLedger(sql);
    checkLedger(ledger, files);
    const newer = without(ledger.control, files.control).map(({ name }) => name);
    const pending = [
      ...without(files.public, ledger.public),
      ...without(files.control, ledger.control),
    ];
    if (options.dryRun) return { applied: pending.map(({ name }) => name), newer };

    if (pending.length > 0) await refuseUser(sql, pending);
    await inMigrationTransaction(sql, "of the ledgers", async () => {
      // Who may not make them must not be stopped by those that are there.
      if (!ledger.stands) await sql.query(LEDGERS);
      await ensureSearchPath(sql);
    });
    const applied: string[] = [];
    for (const file of pending) {
      const isOurs = files.control.includes(file);
      if (await apply(sql, file, isOurs)) applied.push(file.name);
    }
    return { applied, newer };
  });
}

/** Lets bare names of both schemas work for whoever connects, psql included. A clone does not inherit it; only who owns the database may. */
export async function ensureSearchPath(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{ statement: string }>(
    `SELECT format('ALTER DATABASE %I SET search_path = public, control', current_database()) AS statement
     WHERE pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') AND NOT EXISTS (
       SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
       WHERE d.datname = current_database() AND s.setrole = 0
         AND 'search_path=public, control' = ANY (s.setconfig))`,
  );
  for (const { statement } of rows) await sql.query(statement);
}

/**
 * Changes the schema alone: others wait, 5 min at most. The lock and the time-outs are the transaction's own, so
 * that nothing of them stays with a session that a pooler lends to others.
 */
export async function inMigrationTransaction<T>(
  sql: Sql,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  await sql.query("BEGIN");
  try {
    await sql.query(
      `SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};
       SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(${LOCK_KEY})`,
    );
    const result = await work();
    await sql.query("COMMIT");
    return result;
  } catch (error) {
    await sql.query("ROLLBACK");
    if (error instanceof Fault && error.kind === "refused") throw error;
    throw fault.data(
      "MIGRATION_FAILED",
      `migration ${name} failed and changed nothing: ${errorMessage(error)}`,
      {
        cause: error,
        hint: "correct the file and migrate again",
      },
    );
  }
}

/** False when another starter was quicker. */
function apply(sql: Sql, file: MigrationFile, isOurs: boolean): Promise<boolean> {
  const ledger = isOurs ? "control.migration" : "public.migrations";
  return inMigrationTransaction(sql, file.name, async () => {
    const { rows } = await sql.query(`SELECT FROM ${ledger} WHERE name = $1`, [file.name]);
    if (rows.length > 0) return false;
    await sql.query(file.sql);
    const columns = isOurs ? ["id", "name", "checksum"] : ["id", "name"];
    const values = [file.id, file.name, file.checksum].slice(0, columns.length);
    const places = columns.map((_, index) => `$${index + 1}`);
    await sql.query(`INSERT INTO ${ledger} (${columns}) VALUES (${places})`, values);
    return true;
  });
}

async function readLedger(sql: Sql): Promise<Ledger> {
  const { rows } = await sql.query<{ public: boolean; control: boolean }>(
    `SELECT to_regclass('public.migrations') IS NOT NULL AS public,
            to_regclass('control.migration') IS NOT NULL AS control`,
  );
  const exists = rows[0];
  return {
    stands: exists?.public === true && exists.control,
    public: exists?.public
      ? (await sql.query<{ id: number; name: string }>("SELECT id, name FROM public.migrations"))
          .rows
      : [],
    control: exists?.control
      ? (
          await sql.query<{ id: number; name: string; checksum: string }>(
            "SELECT id, name, checksum FROM control.migration",
          )
        ).rows
      : [],
  };
}

/** The services work as a user who may change rows and no table (HB-aws-24): that one is told whom it takes. */
async function refuseUser(sql: Sql, pending: readonly MigrationFile[]): Promise<void> {
  const { rows } = await sql.query<{ user: string; may: boolean }>(
    `SELECT current_user AS user, coalesce((SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c
       WHERE c.oid = to_regclass('control.migration')), true) AS may`,
  );
  const { user, may } = rows[0]!;
  if (may) return;
  const names = pending.map(({ name }) => name).join(", ");
  throw refused(
    `this database lacks ${names}, and ${user} does not own its tables`,
    "algobrain db migrate, with the DATABASE_URL of the user who owns them",
  );
}

function checkLedger(ledger: Ledger, files: MigrationFiles): void {
  for (const row of ledger.control) {
    const file = files.control.find(({ name }) => name === row.name);
    if (file && file.checksum !== row.checksum) {
      throw refused(
        `src/db/control/${file.name}.sql was edited after it was applied to this database`,
        "put the applied text back, and write the change as a new file with the next number",
      );
    }
  }
  checkNumbers(ledger.control, files.control);
  checkNumbers(ledger.public, files.public);
  const newest = Math.max(0, ...ledger.public.map(({ id }) => id));
  const late = without(files.public, ledger.public).find(({ id }) => id < newest);
  if (late) {
    throw refused(
      `${late.name}.sql comes before migration ${newest}, which is already applied`,
      `name it with a number above ${newest}`,
    );
  }
}

function checkNumbers(
  applied: readonly { id: number; name: string }[],
  files: readonly MigrationFile[],
): void {
  for (const file of without(files, applied)) {
    const holder = applied.find(({ id }) => id === file.id);
    if (!holder) continue;
    throw refused(
      `number ${file.id} of ${file.name}.sql is taken by the applied migration ${holder.name}`,
      "give it the next free number",
    );
  }
}

function refused(message: string, hint: string): Error {
  return fault.refused("MIGRATION_REFUSED", message, { hint });
}

function without<T extends { readonly name: string }>(
  all: readonly T[],
  known: readonly { readonly name: string }[],
): T[] {
  const names = new Set(known.map(({ name }) => name));
  return all.filter(({ name }) => !names.has(name));
}
