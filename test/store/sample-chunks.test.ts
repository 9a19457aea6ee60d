import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database, Sql } from "../../src/store/database.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import { countExpired } from "../../src/store/retention.js";
import { loadBoard, readCoverage } from "../../src/store/sample-history.js";
import { deleteEmptySeries, deleteExpiredSamples } from "../../src/store/sample-retention.js";
import { foldBlock } from "../../src/store/sample-rounds.js";
import { summarizeSamples } from "../../src/store/sample-summary.js";
import { insertSamples, readLatest, readWindows, type Sample } from "../../src/store/samples.js";
import { dumpTables } from "../../src/store/table-dump.js";
import { restoreTables } from "../../src/store/table-restore.js";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "../support/database.js";
import { withFolder } from "../support/git-repository.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());
beforeEach(() =>
  db.query(
    `TRUNCATE control.series, control.sample, control.sample_round, control.sample_chunk RESTART IDENTITY`,
  ),
);

const MIDNIGHT = Date.UTC(2026, 10, 22);
const MINUTE = 60_000;
/** Minutes of the day; from 1,440 on it is the next one. */
const at = (minutes: number) => new Date(MIDNIGHT + minutes * MINUTE);
const sample = (minutes: number, value = minutes, host?: string): Sample => ({
  ...{ metric: "m", labels: host ? { host } : {}, at: at(minutes), value },
});
const insertRow = (minutes: number, value: number) =>
  db.query(
    `INSERT INTO control.sample (series_id, at, value)
     SELECT id, $1, $2 FROM control.series WHERE metric = 'm'`,
    [at(minutes), value],
  );
const pointsOf = async (sql: Sql = db, from = -99_999, to = 99_999) =>
  (await readWindows(sql, [{ metric: "m", from: at(from) }], at(to))).flatMap(({ points }) =>
    points.map(({ at: ms, value }) => [(ms - MIDNIGHT) / MINUTE, value]),
  );
const fold = (before: number) => db.transaction((tx) => foldBlock(tx, at(before)));
async function foldAll(before = 99_999): Promise<number> {
  for (let blocks = 0; ; blocks++) if ((await fold(before)) === null) return blocks;
}
const countOf = async (table: string) => (await db.query(`SELECT FROM control.${table}`)).rowCount;

describe("folding", () => {
  test("moves whole blocks, oldest first, and leaves the reader what he had", async () => {
    const minutes = [0, 1, 119, 120, 130, 239, 240];
    await insertSamples(
      db,
      minutes.map((m) => sample(m)),
    );
    const before = await pointsOf();
    expect(await fold(240)).toEqual({ rounds: 3, samples: 3 });
    expect(await pointsOf()).toEqual(before);
    expect(await fold(240)).toEqual({ rounds: 3, samples: 3 });
    expect(await fold(240)).toBeNull();
    expect(await pointsOf()).toEqual(before);
    expect([await countOf("sample_round"), await countOf("sample_chunk")]).toEqual([1, 1]);
  });

  test("makes a chunk for each series and day, and each says what it holds", async () => {
    await insertSamples(db, [sample(1_439, 1, "a"), sample(1_440, 2, "a"), sample(1_440, 3, "b")]);
    expect(await foldAll()).toBe(2);
    const { rows } = await db.query(
      "SELECT day::text, from_at, to_at, samples, last_value FROM control.sample_chunk ORDER BY day, series_id",
    );
    const chunk = (day: string, minute: number, last_value: number) => ({
      ...{ day, from_at: at(minute), to_at: at(minute), samples: 1, last_value },
    });
    expect(rows).toEqual([
      chunk("2026-11-22", 1_439, 1),
      chunk("2026-11-23", 1_440, 2),
      chunk("2026-11-23", 1_440, 3),
    ]);
  });

  test("takes in what comes late, also between and over what is folded", async () => {
    await insertSamples(db, [sample(10, 1), sample(20, 2), sample(30, 3)]);
    await foldAll();
    await insertSamples(db, [sample(15, 15), sample(20, 20)]);
    const united = [
      [10, 1],
      [15, 15],
      [20, 20],
      [30, 3],
    ];
    expect(await pointsOf()).toEqual(united);
    await foldAll();
    expect(await pointsOf()).toEqual(united);
  });

  test("that ends in the middle has done nothing", async () => {
    await insertSamples(db, [sample(10), sample(20)]);
    const crash = db.transaction(async (tx) => {
      await foldBlock(tx, at(999));
      throw new Error("killed");
    });
    await expect(crash).rejects.toThrow("killed");
    expect([await countOf("sample_round"), await countOf("sample_chunk")]).toEqual([2, 0]);
  });

  test("by several at once, while others write, loses and doubles nothing", async () => {
    const folds = [...Array(4)].map(() => foldAll());
    const writes = Array.from({ length: 60 }, (_, n) =>
      insertSamples(db, [sample(n * 3, n, "a"), sample(n * 3, n, "b")], `source-${n % 3}`),
    );
    await Promise.all([...folds, ...writes]);
    await foldAll();
    expect(await countOf("sample_round")).toBe(0);
    const series = await readWindows(db, [{ metric: "m", from: at(-1) }], at(999));
    for (const { points } of series)
      expect(points.map(({ value }) => value)).toEqual(Array.from({ length: 60 }, (_, n) => n));
    expect(series).toHaveLength(2);
  });
});

describe("reading", () => {
  test("is one series wherever it lies: in rows of before, in chunks, in rounds", async () => {
    await insertSamples(db, [sample(100, 1), sample(200, 2)]);
    await foldAll();
    await insertRow(50, -1);
    // Of the version before, beside us: what we know better holds.
    await insertRow(100, -2);
    await insertSamples(db, [sample(300, 3)]);
    expect(await pointsOf()).toEqual([
      [50, -1],
      [100, 1],
      [200, 2],
      [300, 3],
    ]);
    expect(await pointsOf(db, 50, 200)).toEqual([
      [100, 1],
      [200, 2],
    ]);
  });

  test("the newest is found in all three, also in the middle of a chunk", async () => {
    await insertSamples(db, [
      sample(1, 0, "silent"),
      sample(100, 1),
      sample(110, 2),
      sample(400, 4),
    ]);
    await foldAll(300);
    const latest = async (minutes: number) =>
      (await readLatest(db, ["m"], at(minutes))).map(({ labels, points }) => [
        labels.host ?? "",
        points[0]?.value,
      ]);
    expect(await latest(105)).toEqual([
      ["", 1],
      ["silent", 0],
    ]);
    expect(await latest(399)).toEqual([
      ["", 2],
      ["silent", 0],
    ]);
    expect(await latest(9_999)).toEqual([
      ["", 4],
      ["silent", 0],
    ]);
    await db.query(
      "INSERT INTO control.sample SELECT id, $1, 9 FROM control.series WHERE labels = '{}'",
      [at(500)],
    );
    expect(await latest(9_999)).toContainEqual(["", 9]);
    expect(await latest(0)).toEqual([]);
  });

  test("a board is what the windows are", async () => {
    const minutes = Array.from({ length: 500 }, (_, n) => n * 7);
    await insertSamples(
      db,
      minutes.flatMap((m) => [sample(m, m, "a"), sample(m, -m, "b")]),
    );
    await foldAll(3_000);
    const wanted = { metrics: ["m", "none"], from: at(70), to: at(3_450) };
    const board = await loadBoard(db, wanted);
    const windows = await readWindows(db, [{ metric: "m", from: wanted.from }], wanted.to);
    const columns = board.columnsOf("m");
    expect(columns.map(({ labels }) => labels)).toEqual(windows.map(({ labels }) => labels));
    for (const [i, { times, values, length }] of columns.entries())
      expect(Array.from({ length }, (_, n) => ({ at: times[n], value: values[n] }))).toEqual(
        windows[i]!.points,
      );
    expect(await readCoverage(db, wanted)).toEqual([
      { metric: "m", since: at(77), samples: columns[0]!.length * 2 },
      { metric: "none", since: null, samples: 0 },
    ]);
  });

  test("a window in four numbers", async () => {
    await insertSamples(db, [sample(1, 10), sample(2, 2), sample(3, 6)]);
    expect(await summarizeSamples(db, ["m"], { from: at(0), to: at(3) })).toEqual([
      { metric: "m", labels: {}, last: 6, at: at(3), min: 2, max: 10, avg: 6 },
    ]);
  });

  test("a chunk that was damaged is said to be, and what it would have been is not guessed", async () => {
    await insertSamples(db, [sample(1), sample(2)]);
    await foldAll();
    await db.query("UPDATE control.sample_chunk SET data = substr(data, 1, length(data) - 1)");
    await expect(pointsOf()).rejects.toMatchObject({ kind: "data", code: "CHUNK_CORRUPT" });
  });
});

describe("retention", () => {
  const before = at(1_440);

  test("takes days and moments before it, and then the series that have nothing left", async () => {
    await insertSamples(db, [
      sample(10, 1, "gone"),
      sample(10, 1, "stays"),
      sample(1_500, 2, "stays"),
    ]);
    await foldAll(1_600);
    await insertSamples(db, [sample(1_439, 3, "gone"), sample(1_441, 4, "stays")]);
    expect(await countExpired(db, "samples", before)).toBe(3);
    expect(await deleteExpiredSamples(db, before)).toBe(3);
    expect(await deleteExpiredSamples(db, before)).toBe(0);
    expect(await countExpired(db, "samples", before)).toBe(0);
    expect(await deleteEmptySeries(db)).toBe(1);
    expect(await pointsOf()).toEqual([
      [1_441, 4],
      [1_500, 2],
    ]);
    expect(await deleteEmptySeries(db)).toBe(0);
  });

  test("keeps a series that has only a round, or only a row of before", async () => {
    await insertSamples(db, [sample(10, 1, "in a round"), sample(10, 1, "in a row")]);
    await db.query("DELETE FROM control.sample_round");
    await insertSamples(db, [sample(10, 1, "in a round")]);
    await db.query(
      `INSERT INTO control.sample SELECT id, $1, 1 FROM control.series WHERE labels ->> 'host' = 'in a row'`,
      [at(1)],
    );
    expect(await deleteEmptySeries(db)).toBe(0);
  });
});

test("a backup brings rounds and chunks back as they were", () =>
  withFolder(async (folder) => {
    await insertSamples(db, [sample(1, 0.1), sample(2, 1e-7), sample(300, 3)]);
    await foldAll(200);
    await dumpTables(db, `${folder}/dump`, at(0));
    const { db: other, drop } = await createEmptyDatabase();
    try {
      await restoreTables(other, `${folder}/dump`, await readMigrationFiles());
      expect(await pointsOf(other)).toEqual([
        [1, 0.1],
        [2, 1e-7],
        [300, 3],
      ]);
    } finally {
      await drop();
    }
  }));
