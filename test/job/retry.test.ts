import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextRetry, nextVisit } from "../../src/job/retry.js";

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

  it.each([1e15, 1e300, Number.POSITIVE_INFINITY])(
    "is back after a day though it was told to wait for %s ms",
    (retryAfterMs) => {
      expect(nextVisit({ now, retryAfterMs }).delayMs).toBe(86_400_000);
      const backoff = { baseMs: 1_000, capMs: 60_000, jitter: 0 };
      const again = nextRetry({ now, attempt: 1, backoff, random: 0, retryAfterMs });
      expect(again).toEqual({ at: new Date(now.getTime() + 86_400_000), delayMs: 86_400_000 });
    },
  );

  it("takes what is no number for no time at all", () => {
    expect(nextVisit({ now, retryAfterMs: Number.NaN }).delayMs).toBe(30_000);
    const backoff = { baseMs: 1_000, capMs: 60_000, jitter: 0 };
    const retry = { now, attempt: 1, backoff, random: 0, retryAfterMs: Number.NaN };
    expect(nextRetry(retry).delayMs).toBe(2_000);
  });
});
