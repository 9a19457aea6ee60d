/** A job's text id: derived from its number, and found by plain SQL without reading the table (decision 0068). */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Sql } from "../../src/store/database.js";
import { seqOf } from "../../src/store/job-columns.js";
import { withDatabase } from "../support/database.js";

const ROWS = 100_000;

/** The plan as it was carried out. */
async function explain(db: Sql, statement: string): Promise<string> {
  const { rows } = await db.query<{ "QUERY PLAN": string }>(
    `EXPLAIN (ANALYZE, TIMING OFF) ${statement}`,
  );
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}

const fill = (db: Sql, rows: number) =>
  db.query(
    `INSERT INTO public.jobs (job_type, status, completed_at)
     SELECT 'index', 'completed', now() FROM generate_series(1, ${rows})`,
  );

describe("by the text id", () => {
  test.each([
    ["looked at (HB-sql-04)", "SELECT * FROM jobs WHERE id = 'job-54321'"],
    ["set back (HB-sql-05)", "UPDATE jobs SET status = 'pending' WHERE id = 'job-54321'"],
    ["cancelled (HB-sql-10)", "UPDATE jobs SET status = 'cancelled' WHERE id = 'job-54321'"],
  ])("a job among many is %s, and few others are read", (_what, statement) =>
    withDatabase(async (db) => {
      await fill(db, ROWS);
      await db.query("VACUUM (ANALYZE) public.jobs");
      const plan = await explain(db, statement);
      expect(plan).toMatch(/Bitmap Index Scan on idx_jobs_id/);
      const others = Number(/Rows Removed by Index Recheck: (\d+)/.exec(plan)?.[1]);
      expect(others).toBeLessThan(ROWS / 10);
    }),
  );

  test("one is found also where new rows fill the room of old ones, and before any vacuum", () =>
    withDatabase(async (db) => {
      await fill(db, 20_000);
      await db.query("DELETE FROM public.jobs WHERE seq % 3 = 0");
      await db.query("VACUUM (ANALYZE) public.jobs");
      await fill(db, 10_000);
      await db.transaction(async (tx) => {
        await tx.query("SET LOCAL enable_seqscan = off");
        for (const seq of [1, 19_999, 20_001, 29_999]) {
          const { rows } = await tx.query(`SELECT seq FROM public.jobs WHERE id = 'job-${seq}'`);
          expect(rows).toEqual([{ seq }]);
        }
      });
    }));

  test("none can be had twice, nor be written", () =>
    withDatabase(async (db) => {
      await fill(db, 1);
      const twice = `INSERT INTO public.jobs (job_type, seq) OVERRIDING SYSTEM VALUE VALUES ('index', 1)`;
      await expect(db.query(twice)).rejects.toThrow(/jobs_pkey/);
      const written = "INSERT INTO public.jobs (job_type, id) VALUES ('index', 'job-7')";
      await expect(db.query(written)).rejects.toThrow(/cannot insert a non-DEFAULT value/);
    }));
});

describe("the migration to ranges", () => {
  const again = async (db: Sql) =>
    db.query(await readFile("src/db/control/0028_derived_id.sql", "utf8"));
  const kindOf = async (db: Sql) =>
    (
      await db.query(
        "SELECT m.amname AS kind FROM pg_class c JOIN pg_am m ON m.oid = c.relam WHERE c.oid = to_regclass('idx_jobs_id')",
      )
    ).rows;
  const BEFORE = "DROP INDEX idx_jobs_id; CREATE UNIQUE INDEX idx_jobs_id ON jobs (id)";

  test("goes round a table of the operator's that refers to jobs by the text id", () =>
    withDatabase(async (db) => {
      await db.query(`${BEFORE}; CREATE TABLE note (job_id text REFERENCES jobs (id))`);
      await db.transaction(again);
      expect(await kindOf(db)).toEqual([{ kind: "btree" }]);
    }));

  test.each([
    ["is there", BEFORE],
    ["an operator has dropped", "DROP INDEX idx_jobs_id"],
  ])("makes them of an index that %s", (_what, before) =>
    withDatabase(async (db) => {
      await db.query(before);
      await db.transaction(again);
      expect(await kindOf(db)).toEqual([{ kind: "brin" }]);
    }),
  );
});

test.each([
  ["job-1", 1],
  ["job-9007199254740991", Number.MAX_SAFE_INTEGER],
  ["job-9999999999999999999", null],
  ["job-0", null],
  ["job-01", null],
  ["job-", null],
  ["job-1 ", null],
  ["job-1\n", null],
  ["JOB-1", null],
  ["1", null],
  ["", null],
  [null, null],
])("the number of the id %j is %j", (id, seq) =>
  withDatabase(async (db) => {
    const { rows } = await db.query(`SELECT ${seqOf("$1::text")} AS seq`, [id]);
    expect(rows).toEqual([{ seq }]);
  }),
);
