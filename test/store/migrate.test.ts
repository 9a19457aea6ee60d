import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { migrate } from "../../src/store/migrate.js";
import { HANDBOOK_MIGRATIONS, readMigrationFiles } from "../../src/store/migration-files.js";
import { rollbackMigration } from "../../src/store/rollback.js";
import { createEmptyDatabase, withDatabase } from "../support/database.js";

const SECURITY = "006_add_security_score";
const SECURITY_SQL = `ALTER TABLE scores ADD COLUMN security_score INTEGER;
CREATE INDEX idx_scores_security ON scores(security_score);
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-migrations-"));
  await cp(join(import.meta.dirname, "../../src/db"), folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const drop = (name: string, sql: string) => writeFile(join(folder, "migrations", name), sql);
const dropControl = (name: string, sql: string) => writeFile(join(folder, "control", name), sql);

async function names(db: Database): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>("SELECT name FROM migrations ORDER BY id");
  return rows.map(({ name }) => name);
}

async function hasColumn(db: Database, table: string, column: string): Promise<boolean> {
  const { rowCount } = await db.query(
    "SELECT FROM information_schema.columns WHERE table_name = $1 AND column_name = $2",
    [table, column],
  );
  return rowCount > 0;
}

async function onEmptyDatabase(work: (db: Database) => Promise<void>): Promise<void> {
  const { db, drop: dropDatabase } = await createEmptyDatabase();
  try {
    await work(db);
  } finally {
    await dropDatabase();
  }
}

describe("migrating", () => {
  test("an empty database applies the five of the handbook, then ours; a second time nothing", () =>
    onEmptyDatabase(async (db) => {
      const files = await readMigrationFiles(folder);
      const first = await migrate(db, files);
      expect(first.applied.slice(0, 5)).toEqual(HANDBOOK_MIGRATIONS);
      expect(await names(db)).toEqual(HANDBOOK_MIGRATIONS);
      expect(await migrate(db, files)).toEqual({ applied: [], newer: [] });
    }));

  test("as a dry run names what is pending and changes nothing", () =>
    onEmptyDatabase(async (db) => {
      const files = await readMigrationFiles(folder);
      const { applied } = await migrate(db, files, { dryRun: true });
      expect(applied.slice(0, 5)).toEqual(HANDBOOK_MIGRATIONS);
      const { rows } = await db.query("SELECT to_regclass('migrations') AS ledger");
      expect(rows).toEqual([{ ledger: null }]);
    }));

  test("by two starters at once applies each file once", () =>
    onEmptyDatabase(async (db) => {
      const files = await readMigrationFiles(folder);
      const reports = await Promise.all([migrate(db, files), migrate(db, files)]);
      const applied = reports.flatMap((report) => report.applied);
      const names = [...files.public, ...files.control].map(({ name }) => name);
      expect(applied.sort()).toEqual(names.sort());
    }));

  test("lets bare names of both schemas work for whoever connects", () =>
    onEmptyDatabase(async (db) => {
      await migrate(db, await readMigrationFiles(folder));
      const { rows } = await db.query<{ setting: string[] }>(
        `SELECT setconfig AS setting FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
         WHERE d.datname = current_database()`,
      );
      expect(rows[0]?.setting).toContain("search_path=public, control");
    }));

  test("applies an operator's 006 that was dropped beside the five (HB-db-18)", () =>
    withDatabase(async (db) => {
      await drop(`${SECURITY}.sql`, SECURITY_SQL);
      const files = await readMigrationFiles(folder);
      expect((await migrate(db, files)).applied).toEqual([SECURITY]);
      expect(await names(db)).toEqual([...HANDBOOK_MIGRATIONS, SECURITY]);
      expect(await hasColumn(db, "scores", "security_score")).toBe(true);
    }));

  test("with a failing file names it, undoes it whole, and keeps those before it", () =>
    withDatabase(async (db) => {
      await drop("006_good.sql", "CREATE TABLE good (id int)");
      await drop("007_bad.sql", "CREATE TABLE half (id int); SELECT no_such_column FROM jobs;");
      const files = await readMigrationFiles(folder);
      await expect(migrate(db, files)).rejects.toMatchObject({
        code: "MIGRATION_FAILED",
        message: expect.stringMatching(/007_bad .*no_such_column/),
      });
      expect(await names(db)).toEqual([...HANDBOOK_MIGRATIONS, "006_good"]);
      const { rows } = await db.query("SELECT to_regclass('half') AS half");
      expect(rows).toEqual([{ half: null }]);
    }));

  test("refuses a file of ours that was edited after it was applied", () =>
    withDatabase(async (db) => {
      await dropControl("0001_job_control.sql", "SELECT 1");
      await expect(migrate(db, await readMigrationFiles(folder))).rejects.toMatchObject({
        code: "MIGRATION_REFUSED",
        message: expect.stringContaining("0001_job_control.sql was edited"),
      });
    }));

  test("refuses a number below one that is applied, and a number that is taken", () =>
    withDatabase(async (db) => {
      await drop("007_later.sql", "SELECT 1");
      await migrate(db, await readMigrationFiles(folder));
      await drop("006_earlier.sql", "SELECT 1");
      await expect(migrate(db, await readMigrationFiles(folder))).rejects.toMatchObject({
        message: "006_earlier.sql comes before migration 7, which is already applied",
      });
      await rm(join(folder, "migrations", "006_earlier.sql"));
      await rm(join(folder, "migrations", "007_later.sql"));
      await drop("007_other.sql", "SELECT 1");
      await expect(migrate(db, await readMigrationFiles(folder))).rejects.toMatchObject({
        message: "number 7 of 007_other.sql is taken by the applied migration 007_later",
      });
    }));

  test("tells a database of a newer release apart, and leaves it alone", () =>
    withDatabase(async (db) => {
      const older = await readMigrationFiles(folder);
      await dropControl("9001_of_tomorrow.sql", "CREATE TABLE control.tomorrow (id int)");
      await migrate(db, await readMigrationFiles(folder));
      expect(await migrate(db, older)).toEqual({ applied: [], newer: ["9001_of_tomorrow"] });
    }));
});

describe("migration files", () => {
  test("with the same number are refused by name", async () => {
    await drop("006_one.sql", "");
    await drop("006_two.sql", "");
    await expect(readMigrationFiles(folder)).rejects.toMatchObject({
      message: expect.stringMatching(/006_one.sql and 006_two.sql .* same number/),
    });
  });

  test("with a name out of form are refused by name", async () => {
    await drop("add-score.sql", "");
    await expect(readMigrationFiles(folder)).rejects.toMatchObject({
      message: expect.stringContaining("found add-score.sql"),
    });
  });
});

describe("rolling back", () => {
  test("the handbook's 006 takes column, index and row away (HB-cli-03)", () =>
    withDatabase(async (db) => {
      await drop(`${SECURITY}.sql`, SECURITY_SQL);
      const files = await readMigrationFiles(folder);
      await migrate(db, files);
      await rollbackMigration(db, files, SECURITY);
      expect(await names(db)).toEqual(HANDBOOK_MIGRATIONS);
      expect(await hasColumn(db, "scores", "security_score")).toBe(false);
      expect((await migrate(db, files)).applied).toEqual([SECURITY]);
    }));

  test("prefers the down file that lies beside it", () =>
    withDatabase(async (db) => {
      await drop("006_zero.sql", "UPDATE repos SET name = upper(name)");
      await drop("006_zero.down.sql", "UPDATE repos SET name = lower(name)");
      const files = await readMigrationFiles(folder);
      await db.query("INSERT INTO repos (id, name) VALUES ('r1', 'brain')");
      await migrate(db, files);
      await rollbackMigration(db, files, "006_zero");
      expect((await db.query("SELECT name FROM repos")).rows).toEqual([{ name: "brain" }]);
    }));

  test("refuses what it cannot derive before it touches anything (X-14)", () =>
    withDatabase(async (db) => {
      await drop("006_mixed.sql", "CREATE TABLE notes (id int); DELETE FROM repos;");
      const files = await readMigrationFiles(folder);
      await migrate(db, files);
      await expect(rollbackMigration(db, files, "006_mixed")).rejects.toMatchObject({
        code: "ROLLBACK_REFUSED",
        message: expect.stringContaining('found "DELETE FROM repos"'),
        hint: "write 006_mixed.down.sql beside it",
      });
      expect(await names(db)).toEqual([...HANDBOOK_MIGRATIONS, "006_mixed"]);
      expect((await db.query("SELECT FROM notes")).rowCount).toBe(0);
    }));

  test.each([
    ["one that is not the newest", "006_first", /not the newest migration: 007_second/],
    ["one that is not applied", "008_unknown", /"008_unknown" is not applied/],
  ])("refuses %s", (_what, name, message) =>
    withDatabase(async (db) => {
      await drop("006_first.sql", "CREATE TABLE one (id int)");
      await drop("007_second.sql", "CREATE TABLE two (id int)");
      const files = await readMigrationFiles(folder);
      await migrate(db, files);
      await expect(rollbackMigration(db, files, name)).rejects.toMatchObject({
        code: "ROLLBACK_REFUSED",
        message: expect.stringMatching(message),
      });
    }),
  );

  test("refuses the five that the product lives in", () =>
    withDatabase(async (db) => {
      const files = await readMigrationFiles(folder);
      await expect(rollbackMigration(db, files, "005_add_audit_indexes")).rejects.toMatchObject({
        code: "ROLLBACK_REFUSED",
      });
    }));
});
