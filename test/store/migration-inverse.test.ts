import { describe, expect, test } from "vitest";
import { deriveInverse } from "../../src/store/migration-inverse.js";

describe("the inverse of a migration", () => {
  test.each([
    [
      "the handbook's 006",
      "ALTER TABLE scores ADD COLUMN security_score INTEGER;\nCREATE INDEX idx_scores_security ON scores(security_score);",
      ["DROP INDEX idx_scores_security", "ALTER TABLE scores DROP COLUMN security_score"],
    ],
    ["a table", "create table notes (id int, body text);", ["DROP TABLE notes"]],
    ["a table in a schema", "CREATE TABLE app.notes(id int)", ["DROP TABLE app.notes"]],
    [
      "several columns, with commas and parentheses in their definitions",
      "ALTER TABLE scores ADD COLUMN a numeric(10, 2) DEFAULT 1.5, ADD b text CHECK (b IN ('x, y', 'z'));",
      ["ALTER TABLE scores DROP COLUMN b", "ALTER TABLE scores DROP COLUMN a"],
    ],
    [
      "a unique index on a table in a schema",
      'CREATE UNIQUE INDEX "Odd Name" ON app.notes (id) WHERE id > 0;',
      ['DROP INDEX app."Odd Name"'],
    ],
    [
      "statements among comments and quotes that hold semicolons",
      "-- first; a comment\nALTER TABLE scores ADD COLUMN note text DEFAULT 'a;b'; /* ; */",
      ["ALTER TABLE scores DROP COLUMN note"],
    ],
    ["an empty file", "-- nothing\n", []],
  ])("is derived for %s", (_what, sql, statements) => {
    expect(deriveInverse(sql)).toEqual({ ok: true, statements });
  });

  test.each([
    "UPDATE scores SET score = 0",
    "DROP TABLE events",
    "ALTER TABLE scores DROP COLUMN score",
    "ALTER TABLE scores ALTER COLUMN score SET NOT NULL",
    "ALTER TABLE scores ADD COLUMN a int, DROP COLUMN score",
    "ALTER TABLE scores ADD CONSTRAINT positive CHECK (score > 0)",
    "ALTER TABLE scores ADD PRIMARY KEY (id)",
    "ALTER TABLE scores ADD COLUMN IF NOT EXISTS a int",
    "ALTER TABLE IF EXISTS scores ADD COLUMN a int",
    "CREATE TABLE IF NOT EXISTS notes (id int)",
    "CREATE TABLE notes AS SELECT 1",
    "CREATE INDEX IF NOT EXISTS idx ON scores (score)",
    "CREATE INDEX ON scores (score)",
    "CREATE VIEW v AS SELECT 1",
    "DO $$ BEGIN CREATE TABLE x (id int); END $$",
    "INSERT INTO scores (score) VALUES ('CREATE TABLE x (id int)')",
  ])("is not derived for: %s", (sql) => {
    expect(deriveInverse(`CREATE TABLE fine (id int);\n${sql};`)).toEqual({
      ok: false,
      statement: sql,
    });
  });
});
