import { describe, expect, test } from "vitest";
import { DAY_MS } from "../../src/base/duration.js";
import type { Database, Sql } from "../../src/store/database.js";
import { migrate } from "../../src/store/migrate.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import {
  addSampleDay,
  dropSampleDay,
  listSampleDaysBefore,
} from "../../src/store/sample-partitions.js";
import { readWindows } from "../../src/store/samples.js";
import { dumpTables } from "../../src/store/table-dump.js";
import { restoreTables } from "../../src/store/table-restore.js";
import { createEmptyDatabase, withDatabase } from "../support/database.js";
import { withFolder } from "../support/git-repository.js";
import { until } from "../support/until.js";

/** Noon of the day on which the database was migrated, which may have been yesterday by now. */
let today = new Date();
const onDays = (test: (db: Database) => Promise<void>) =>
  withDatabase(async (db) => {
    const { rows } = await db.query<{ today: Date }>(
      `SELECT (substring(pg_get_expr(relpartbound, oid) FROM 'TO .''([^'']+)')::timestamptz - interval '36 hours') AS today
       FROM pg_class WHERE relname = 'sample_before_days'`,
    );
    today = rows[0]!.today;
    await test(db);
  });
const daysFromNow = (days: number) => new Date(today.getTime() + days * DAY_MS);
/** As the versions wrote that knew only rows. */
async function insertRows(sql: Sql, days: readonly number[]): Promise<void> {
  await sql.query(
    `WITH made AS (
       INSERT INTO control.series AS s (metric) VALUES ('m')
       ON CONFLICT (metric, labels) DO UPDATE SET metric = s.metric RETURNING id
     ) INSERT INTO control.sample (series_id, at, value)
     SELECT id, at, value FROM made, unnest($1::timestamptz[], $2::float8[]) AS given (at, value)
     ON CONFLICT (series_id, at) DO UPDATE SET value = excluded.value`,
    [days.map((n) => daysFromNow(n).toISOString()), days],
  );
}

async function partsOf(sql: Sql): Promise<Record<string, number[]>> {
  const { rows } = await sql.query<{ part: string; values: number[] }>(
    `SELECT tableoid::regclass::text AS part, array_agg(value ORDER BY value) AS values
     FROM control.sample GROUP BY 1 ORDER BY 1`,
  );
  return Object.fromEntries(rows.map(({ part, values }) => [part, values]));
}

async function addAll(db: Database, from: Date, days: number): Promise<string[]> {
  const added: string[] = [];
  for (;;) {
    const name = await db.transaction((tx) => addSampleDay(tx, from, days));
    if (name === null) return added;
    added.push(name);
  }
}

const nameOf = (date: Date) =>
  `control.sample_${date.toISOString().slice(0, 10).replaceAll("-", "")}`;

describe("days of samples", () => {
  test("a database of before is upgraded with its rows, and what wrote there writes on", async () => {
    const { db, drop } = await createEmptyDatabase();
    try {
      const files = await readMigrationFiles();
      await migrate(db, { ...files, control: files.control.filter(({ id }) => id <= 5) });
      await insertRows(db, [-40, -1, 0, 1, 5]);
      // Of the previous version: its connection is open, and it knows nothing of days.
      await db.connect(async (former) => {
        await insertRows(former, [-2]);
        await migrate(db, files);
        await insertRows(former, [0, 2.5]);
        await former.query(
          `DELETE FROM control.sample WHERE (series_id, at) IN (
             SELECT series_id, at FROM control.sample WHERE at < $1 LIMIT 1000 FOR UPDATE SKIP LOCKED)`,
          [daysFromNow(-30)],
        );
        await former.query("VACUUM (ANALYZE) control.sample");
      });
      expect(await partsOf(db)).toEqual({
        sample_before_days: [-2, -1, 0, 1],
        sample_default: [2.5, 5],
      });
      const [series] = await readWindows(
        db,
        [{ metric: "m", from: daysFromNow(-9) }],
        daysFromNow(9),
      );
      expect(series?.points.map(({ value }) => value)).toEqual([-2, -1, 0, 1, 2.5, 5]);
    } finally {
      await drop();
    }
  });

  test.each([
    ["control.notice", "public.jobs"],
    ["public.jobs", "control.notice"],
    ["control.sample", "public.jobs"],
  ])("the upgrade and one who has %s and then takes %s both get through", async (first, second) => {
    const { db, drop } = await createEmptyDatabase();
    try {
      const files = await readMigrationFiles();
      await migrate(db, { ...files, control: files.control.filter(({ id }) => id < 9) });
      let upgrade: Promise<unknown> | undefined;
      await db.transaction(async (former) => {
        await former.query(`LOCK TABLE ${first} IN ROW EXCLUSIVE MODE`);
        upgrade = migrate(db, files);
        await until(async () => {
          const { rowCount } = await db.query(
            "SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass",
            [first],
          );
          return rowCount > 0;
        }, "the upgrade waits");
        await former.query(`LOCK TABLE ${second} IN ROW EXCLUSIVE MODE`);
      });
      await expect(upgrade).resolves.toMatchObject({
        applied: expect.arrayContaining(["0009_table_health"]),
      });
    } finally {
      await drop();
    }
  });

  test("are made ahead once each, take their rows out of the default one, and are dropped whole", () =>
    onDays(async (db) => {
      await insertRows(db, [0, 3, 3.0001, 30]);
      const names = [2, 3, 4].map((days) => nameOf(daysFromNow(days)));
      const made = await Promise.all([addAll(db, today, 4), addAll(db, today, 4)]);
      expect(made.flat().sort()).toEqual(names);
      expect(await partsOf(db)).toEqual({
        sample_before_days: [0],
        sample_default: [30],
        [`sample_${names[1]!.slice(-8)}`]: [3, 3.0001],
      });
      expect(await listSampleDaysBefore(db, daysFromNow(1))).toEqual([]);
      const old = await listSampleDaysBefore(db, daysFromNow(4));
      expect(old).toEqual(["control.sample_before_days", names[0], names[1]]);
      const dropped: number[] = [];
      for (const name of old) dropped.push(await db.transaction((tx) => dropSampleDay(tx, name)));
      expect(dropped).toEqual([1, 0, 2]);
      expect(await partsOf(db)).toEqual({ sample_default: [30] });
    }));

  test("that nobody made for a while are made up for", () =>
    onDays(async (db) => {
      await insertRows(db, [4]);
      expect(await addAll(db, daysFromNow(9), 0)).toHaveLength(8);
      expect(await partsOf(db)).toEqual({ [nameOf(daysFromNow(4)).slice(8)]: [4] });
    }));

  test("one that is in use is not waited for", () =>
    onDays(async (db) => {
      await db.transaction(async (reader) => {
        await reader.query("SELECT FROM control.sample");
        const drop = db.transaction((tx) => dropSampleDay(tx, "control.sample_before_days"));
        await expect(drop).rejects.toMatchObject({
          kind: "transient",
          code: "DATABASE_UNAVAILABLE",
        });
      });
    }));

  test("a backup has each row once, whatever days the restored database has", () =>
    withFolder((folder) =>
      onDays(async (db) => {
        await addAll(db, today, 4);
        await insertRows(db, [0, 3, 30]);
        const manifest = await dumpTables(db, `${folder}/dump`, today);
        const dumped = manifest.tables.filter(({ name }) => name === "sample");
        expect(dumped).toMatchObject([{ rows: 3 }]);
        const { db: other, drop } = await createEmptyDatabase();
        try {
          await restoreTables(other, `${folder}/dump`, await readMigrationFiles());
          expect(await partsOf(other)).toEqual({
            sample_before_days: [0],
            sample_default: [3, 30],
          });
        } finally {
          await drop();
        }
      }),
    ));
});
