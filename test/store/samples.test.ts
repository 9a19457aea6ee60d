import { describe, expect, test } from "vitest";
import { insertSamples, readLatest, readWindows } from "../../src/store/samples.js";
import { withDatabase } from "../support/database.js";

const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1_000);
const sample = (
  metric: string,
  seconds: number,
  value: number,
  labels: Record<string, string> = {},
) => ({ metric, labels, at: at(seconds), value });
const point = (seconds: number, value: number) => ({ at: at(seconds).getTime(), value });

describe("writing", () => {
  test("equal label sets are one series, whatever the order of their labels", () =>
    withDatabase(async (db) => {
      await insertSamples(db, [sample("m", 0, 1, { a: "1", b: "2" }), sample("m", 1, 2)]);
      await insertSamples(db, [sample("m", 1, 3, { b: "2", a: "1" })]);
      const { rows } = await db.query("SELECT FROM control.series");
      expect(rows).toHaveLength(2);
    }));

  test("known series burn no numbers of the identity", () =>
    withDatabase(async (db) => {
      for (let n = 0; n < 5; n++) await insertSamples(db, [sample("m", n, n)]);
      await insertSamples(db, [sample("other", 0, 0)]);
      const { rows } = await db.query<{ id: number }>("SELECT max(id) AS id FROM control.series");
      expect(rows).toEqual([{ id: 2 }]);
    }));

  test("the same moment again replaces the value, also inside one call", () =>
    withDatabase(async (db) => {
      await insertSamples(db, [sample("m", 0, 1), sample("m", 0, 1)]);
      await insertSamples(db, [sample("m", 0, 2)]);
      expect(await readLatest(db, ["m"], at(0))).toMatchObject([{ points: [point(0, 2)] }]);
    }));

  test("what is no number is no sample, and nothing is nothing", () =>
    withDatabase(async (db) => {
      await insertSamples(db, [
        sample("m", 0, Number.NaN),
        sample("m", 1, Number.POSITIVE_INFINITY),
      ]);
      await insertSamples(db, []);
      expect(await readLatest(db, ["m"], at(9))).toEqual([]);
    }));

  test("two processes that make the same series at once lose no sample", () =>
    withDatabase(async (db) => {
      await Promise.all(
        Array.from({ length: 8 }, (_, n) => insertSamples(db, [sample("m", n, n, { a: "1" })])),
      );
      const [series] = await readWindows(db, [{ metric: "m", from: at(-1) }], at(9));
      expect(series?.points).toHaveLength(8);
    }));
});

describe("reading", () => {
  test("a window is (from, to], in order of time, with milliseconds kept", () =>
    withDatabase(async (db) => {
      await insertSamples(
        db,
        [3, 2, 1.123, 1, 0].map((s) => sample("m", s, s)),
      );
      expect(await readWindows(db, [{ metric: "m", from: at(1) }], at(2))).toEqual([
        { metric: "m", labels: {}, points: [point(1.123, 1.123), point(2, 2)] },
      ]);
    }));

  test("only series that have samples there", () =>
    withDatabase(async (db) => {
      await insertSamples(db, [
        sample("m", 5, 1, { queue: "index", host: "a" }),
        sample("m", 0, 3, { queue: "index", host: "old" }),
      ]);
      const found = await readWindows(db, [{ metric: "m", from: at(1) }], at(9));
      expect(found.map(({ labels }) => labels)).toEqual([{ queue: "index", host: "a" }]);
    }));

  test("several metrics come by one call, each from its earliest wanted moment", () =>
    withDatabase(async (db) => {
      await insertSamples(
        db,
        [0, 5].flatMap((s) => [sample("a", s, s), sample("b", s, s)]),
      );
      const wanted = [
        { metric: "a", from: at(3) },
        { metric: "a", from: at(-1) },
        { metric: "b", from: at(3) },
      ];
      const found = await readWindows(db, wanted, at(9));
      expect(found.map(({ metric, points }) => [metric, points.length])).toEqual([
        ["a", 2],
        ["b", 1],
      ]);
      expect(await readWindows(db, [], at(9))).toEqual([]);
    }));

  test("the newest sample of each series, however old, and none from the future", () =>
    withDatabase(async (db) => {
      await insertSamples(db, [
        sample("m", -1_000_000, 1, { p: "a" }),
        sample("m", 5, 2, { p: "b" }),
        sample("m", 50, 3, { p: "b" }),
      ]);
      expect(await readLatest(db, ["m"], at(9))).toEqual([
        { metric: "m", labels: { p: "a" }, points: [point(-1_000_000, 1)] },
        { metric: "m", labels: { p: "b" }, points: [point(5, 2)] },
      ]);
    }));
});
