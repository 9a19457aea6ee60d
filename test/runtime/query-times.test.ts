import fc from "fast-check";
import { expect, it } from "vitest";
import { QueryTimes } from "../../src/runtime/query-times.js";

it.each([
  ["nothing was asked", [], null],
  ["one answer", [7], 7],
  ["twenty: the nineteenth", Array.from({ length: 20 }, (_, n) => 20 - n), 19],
  ["a hundred: the ninety-fifth", Array.from({ length: 100 }, (_, n) => n + 1), 95],
])("%s", (_name, times, p95) => {
  const seen = new QueryTimes();
  for (const ms of times) seen.observe(ms);
  expect(seen.takeP95Ms()).toBe(p95);
  expect(seen.takeP95Ms(), "it begins anew").toBeNull();
});

it("is one of the newest times, and at most a twentieth of them are above it", () => {
  const kept = 4_096;
  const some = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), {
    minLength: 1,
    maxLength: 50,
  });
  fc.assert(
    fc.property(some, fc.integer({ min: 0, max: 200 }), (times, repeat) => {
      const seen = new QueryTimes();
      const all = Array.from({ length: repeat }, () => times)
        .flat()
        .concat(times);
      for (const ms of all) seen.observe(ms);
      const newest = all.slice(-kept);
      const p95 = seen.takeP95Ms()!;
      expect(newest).toContain(p95);
      expect(newest.filter((ms) => ms > p95).length).toBeLessThanOrEqual(newest.length / 20);
    }),
    { numRuns: 50 },
  );
});
