/**
 * Undoes the newest of the operator's migrations (HB-cli-03, X-14): by its `NNN_name.down.sql`, or by
 * the inverse derived from a closed set of statements. Everything else is refused before anything is touched.
 */
import { fault } from "../base/fault.js";
import type { Database, Sql } from "./database.js";
import { inMigrationTransaction } from "./migrate.js";
import { HANDBOOK_MIGRATIONS, type MigrationFiles } from "./migration-files.js";
import { deriveInverse } from "./migration-inverse.js";

/** Returns the statements that ran. Throws a Fault `ROLLBACK_REFUSED` before it touches anything, or `MIGRATION_FAILED`. */
export async function rollbackMigration(
  db: Database,
  files: MigrationFiles,
  name: string,
): Promise<readonly string[]> {
  const wanted = name.replace(/\.sql$/, "");
  return db.connect((sql) =>
    inMigrationTransaction(sql, `rollback of ${wanted}`, async () => {
      await checkNewest(sql, wanted);
      const statements = plan(files, wanted);
      for (const statement of statements) await sql.query(statement);
      await sql.query("DELETE FROM public.migrations WHERE name = $1", [wanted]);
      return statements;
    }),
  );
}

async function checkNewest(sql: Sql, name: string): Promise<void> {
  const { rows: exists } = await sql.query<{ exists: boolean }>(
    "SELECT to_regclass('public.migrations') IS NOT NULL AS exists",
  );
  if (!exists[0]?.exists) throw refused("no migration is applied to this database", "migrate it");
  const { rows } = await sql.query<{ name: string }>(
    "SELECT name FROM public.migrations ORDER BY id DESC",
  );
  const newest = rows[0]?.name;
  if (!rows.some((row) => row.name === name)) {
    throw refused(`migration "${name}" is not applied`, `the newest one is ${newest ?? "none"}`);
  }
  if (newest !== name) {
    throw refused(
      `${name} is not the newest migration: ${newest} came after it`,
      `roll back ${newest} first`,
    );
  }
  if ((HANDBOOK_MIGRATIONS as readonly string[]).includes(name)) {
    throw refused(`${name} makes tables that the product lives in`, "restore a backup instead");
  }
}

function plan(files: MigrationFiles, name: string): readonly string[] {
  const down = files.downs.get(name);
  if (down !== undefined) return [down];
  const file = files.public.find((candidate) => candidate.name === name);
  if (!file) {
    throw refused(
      `neither ${name}.down.sql nor ${name}.sql is in src/db/migrations, so nobody knows how to undo it`,
      `put one of them there`,
    );
  }
  const inverse = deriveInverse(file.sql);
  if (inverse.ok) return inverse.statements;
  throw refused(
    `cannot derive how to undo ${name}: found "${inverse.statement}", expected only ADD COLUMN, CREATE INDEX and CREATE TABLE without IF NOT EXISTS`,
    `write ${name}.down.sql beside it`,
  );
}

function refused(message: string, hint: string): Error {
  return fault.refused("ROLLBACK_REFUSED", message, { hint });
}
