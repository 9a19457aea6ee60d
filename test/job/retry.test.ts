import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextVisit } from "../../src/job/retry.js";

const now = new Date("2026-01-28T12:00:00.000Z");

describe("who waits for a dependency", () => {
  it("comes back when it said, and at the beginning of the spread without chance", () => {
    expect(nextVisit({ now, retryAfterMs: 61_000 })).toEqual({
      at: new Date(now.getTime() + 61_000),
      delayMs: 61_000,
    });
  });

  it("never comes sooner, and at most a tenth or a minute later", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7_200_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (retryAfterMs, random) => {
          const { delayMs } = nextVisit({ now, retryAfterMs, random });
          const askedMs = Math.max(retryAfterMs, 1_000);
          expect(delayMs).toBeGreaterThanOrEqual(askedMs);
          expect(delayMs - askedMs).toBeLessThanOrEqual(Math.min(askedMs / 10, 60_000));
        },
      ),
    );
  });

  it("does not come back in the same instant as all the others", () => {
    const delays = [0, 0.25, 0.5, 0.75].map(
      (random) => nextVisit({ now, retryAfterMs: 60_000, random }).delayMs,
    );
    expect(delays).toEqual([60_000, 61_500, 63_000, 64_500]);
  });
});
