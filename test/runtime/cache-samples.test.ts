import { expect, it } from "vitest";
import type { CacheReads } from "../../src/job/port.js";
import { cacheSource } from "../../src/runtime/sample/cache.js";

it("is of the last five minutes, and missing without reads, without an answer and over a new beginning", async () => {
  let reads: CacheReads | null = { hits: 1_000, misses: 0 };
  const source = cacheSource({ reads: async () => reads });
  const rateAt = async (minute: number, hits: number, misses: number) => {
    reads = { hits, misses };
    return (await source.collect(new Date(minute * 60_000)))[0]?.value;
  };
  expect(await rateAt(0, 1_000, 0)).toBeUndefined();
  expect(await rateAt(1, 1_000, 0)).toBeUndefined();
  expect(await rateAt(2, 1_010, 9)).toBeUndefined();
  expect(await rateAt(3, 1_015, 5 + 9 + 1)).toBe(0.5);
  expect(await rateAt(8, 1_045, 25)).toBe(0.75);
  reads = null;
  expect(await source.collect(new Date(9 * 60_000))).toEqual([]);
  expect(await rateAt(10, 0, 0)).toBeUndefined();
  expect(await rateAt(11, 18, 2)).toBe(0.9);
});
