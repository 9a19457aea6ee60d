/** HB-sql-22…24, HB-db-17, HB-cli-03: the handbook's own example of a migration, from the file to its rollback. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.js";
import { migrate } from "../../src/store/migrate.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import { rollbackMigration } from "../../src/store/rollback.js";
import { onHandbookDatabase, type Psql } from "../support/psql.js";

const ADD_COLUMN = "ALTER TABLE scores ADD COLUMN security_score INTEGER;";
const CREATE_INDEX = "CREATE INDEX idx_scores_security ON scores(security_score);";

/** What `\d scores` of psql reads. */
const describeScores = async (psql: Psql) => ({
  columns: (
    await psql(`SELECT attname || ' ' || format_type(atttypid, atttypmod) AS column FROM pg_attribute
      WHERE attrelid = 'scores'::regclass AND attnum > 0 AND NOT attisdropped`)
  ).map(({ column }) => column),
  indexes: (await psql("SELECT indexname FROM pg_indexes WHERE tablename = 'scores'")).map(
    ({ indexname }) => indexname,
  ),
});

test("both statements run as pasted after the five migrations, and scores shows them", () =>
  onHandbookDatabase(async (psql) => {
    await psql(ADD_COLUMN);
    await psql(CREATE_INDEX);
    const scores = await describeScores(psql);
    expect(scores.columns).toContain("security_score integer");
    expect(scores.indexes).toContain("idx_scores_security");
  }));

test("as the file 006 it is migrated, listed, rolled back, and gone", () =>
  onHandbookDatabase(async (psql, url) => {
    const folder = await mkdtemp(join(tmpdir(), "algobrain-006-"));
    const db = openDatabase({ url, poolMax: 1, applicationName: "migrate", ssl: false });
    try {
      await cp(join(import.meta.dirname, "../../src/db"), folder, { recursive: true });
      const file = join(folder, "migrations", "006_add_security_score.sql");
      await writeFile(file, `${ADD_COLUMN}\n${CREATE_INDEX}\n`);
      const files = await readMigrationFiles(folder);
      await migrate(db, files);
      expect(await psql("SELECT name FROM migrations WHERE id = 6")).toEqual([
        { name: "006_add_security_score" },
      ]);
      expect((await describeScores(psql)).indexes).toContain("idx_scores_security");

      await rollbackMigration(db, files, "006_add_security_score");
      const scores = await describeScores(psql);
      expect(scores.columns).not.toContain("security_score integer");
      expect(scores.indexes).not.toContain("idx_scores_security");
      expect(await psql("SELECT count(*) FROM migrations")).toEqual([{ count: "5" }]);
    } finally {
      await db.close();
      await rm(folder, { recursive: true, force: true });
    }
  }));
