import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import {
  countRefusedSamples,
  readNewestRounds,
  readRoundsSince,
} from "../../src/store/sample-rounds.js";
import { insertSamples, readWindows, type Sample } from "../../src/store/samples.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());
beforeEach(() =>
  db.query(
    "TRUNCATE control.series, control.sample_round, control.sample_refusal RESTART IDENTITY",
  ),
);

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 22, 12, 0, seconds));
const sample = (metric: string, seconds: number, value: number, host?: string): Sample => ({
  ...{ metric, labels: host ? { host } : {}, at: at(seconds), value },
});
const rounds = async () =>
  (
    await db.query(
      "SELECT slot, source, series_ids, values FROM control.sample_round ORDER BY 1, 2",
    )
  ).rows;
const all = async (metric: string) =>
  (await readWindows(db, [{ metric, from: at(-1) }], at(999))).flatMap(({ points }) => points);

describe("a round", () => {
  test("is one row, however much was measured", async () => {
    const many = Array.from({ length: 300 }, (_, n) => sample("m", 0, n, `host-${n}`));
    await insertSamples(db, many, "leader");
    expect(await rounds()).toMatchObject([{ source: "leader", series_ids: { length: 300 } }]);
    expect(await all("m")).toHaveLength(300);
  });

  test("takes in what its source says later of the same moment, the newer value first", async () => {
    await insertSamples(db, [sample("a", 0, 1), sample("b", 0, 2)], "leader");
    await insertSamples(db, [sample("b", 0, 20), sample("c", 0, 30)], "leader");
    expect(await rounds()).toEqual([
      { slot: at(0), source: "leader", series_ids: [1, 2, 3], values: [1, 20, 30] },
    ]);
  });

  test("loses nothing when several write to it at once", async () => {
    const writers = Array.from({ length: 8 }, (_, n) =>
      insertSamples(db, [sample("m", 0, n, `h${n}`), sample("m", 15, n, `h${n}`)], "push"),
    );
    await Promise.all(writers);
    expect(await rounds()).toHaveLength(2);
    expect(await all("m")).toHaveLength(16);
  });

  test("is read by its source, and by its time", async () => {
    await insertSamples(db, [sample("a", 0, 1, "x")], "leader");
    await insertSamples(db, [sample("a", 15, 2, "x")], "leader");
    await insertSamples(db, [sample("b", 15, 3)], "api@one");
    expect(await readRoundsSince(db, at(0), at(15))).toEqual([
      { slot: at(15), source: "api@one", samples: [{ metric: "b", labels: {}, value: 3 }] },
      {
        slot: at(15),
        source: "leader",
        samples: [{ metric: "a", labels: { host: "x" }, value: 2 }],
      },
    ]);
    expect(await readRoundsSince(db, at(15), at(999))).toEqual([]);
  });

  test("of each source the newest one is read, unless it is old", async () => {
    const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000);
    const now = [90, 30, 5].map((s) => ({ ...sample("a", 0, s), at: ago(s) }));
    await insertSamples(db, now, "leader");
    await insertSamples(db, [{ ...sample("b", 0, 1), at: ago(300) }], "silent");
    const found = await readNewestRounds(db, 60_000);
    expect(found.map(({ source, samples }) => [source, samples[0]?.value])).toEqual([
      ["leader", 5],
    ]);
  });

  test("of a series that is gone says nothing of it", async () => {
    await insertSamples(db, [sample("a", 0, 1), sample("b", 0, 2)]);
    await db.query("DELETE FROM control.series WHERE metric = 'a'");
    const [round] = await readRoundsSince(db, at(-1), at(1));
    expect(round?.samples.map(({ metric }) => metric)).toEqual(["b"]);
    expect(await all("a")).toEqual([]);
  });
});

describe("the cap on series", () => {
  const limits = { seriesMax: 12, perMetricMax: 5 };
  const hosts = (metric: string, count: number, first = 0) =>
    Array.from({ length: count }, (_, n) => sample(metric, 0, n, `host-${first + n}`));
  const countSeries = async () => (await db.query("SELECT FROM control.series")).rowCount;

  test("refuses what is beyond it, of one metric and of all, and goes on with the rest", async () => {
    expect(await insertSamples(db, hosts("a", 7), "leader", limits)).toEqual({ refused: 2 });
    await insertSamples(db, hosts("b", 5), "leader", limits);
    expect(await insertSamples(db, hosts("c", 5), "leader", limits)).toEqual({ refused: 3 });
    expect(await countSeries()).toBe(12);
    expect([(await all("a")).length, (await all("b")).length, (await all("c")).length]).toEqual([
      5, 5, 2,
    ]);
    // What is known goes on as ever.
    expect(await insertSamples(db, hosts("a", 5), "later", limits)).toEqual({ refused: 0 });
  });

  test("counts what it refused, each time, and says of whom and why", async () => {
    await insertSamples(db, hosts("a", 7), "leader", limits);
    await insertSamples(db, hosts("a", 7), "leader", limits);
    expect(await countRefusedSamples(db)).toBe(4);
    const { rows } = await db.query(
      "SELECT metric, refused, reason, example FROM control.sample_refusal",
    );
    expect(rows).toEqual([
      { metric: "a", refused: 4, reason: "per-metric-max", example: { host: "host-5" } },
    ]);
  });

  test("holds when many ask at once", async () => {
    const writers = Array.from({ length: 10 }, (_, n) =>
      insertSamples(db, hosts(`m${n}`, 4, n * 10), `writer-${n}`, limits),
    );
    const refused = (await Promise.all(writers)).reduce((sum, one) => sum + one.refused, 0);
    expect(await countSeries()).toBe(12);
    expect(refused).toBe(40 - 12);
  });

  test("has room again when a series has gone", async () => {
    await insertSamples(db, hosts("a", 5), "leader", limits);
    await db.query("DELETE FROM control.series WHERE labels ->> 'host' = 'host-0'");
    expect(await insertSamples(db, hosts("a", 1, 99), "leader", limits)).toEqual({ refused: 0 });
  });
});
