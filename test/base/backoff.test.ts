import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs } from "../../src/base/backoff.js";

const policy = { baseMs: 1_000, capMs: 300_000, jitter: 0.1 };

describe("the backoff", () => {
  it.each([
    [1, 2_000],
    [2, 4_000],
    [3, 8_000],
    [30, 300_000],
    [1_000, 300_000],
  ])("waits after attempt %i about %i ms (HB-heal-08)", (attempt, ms) => {
    expect(backoffMs(policy, attempt, 0.5)).toBe(ms);
  });

  it("stays within its jitter", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 50 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (n, random) => {
          const plain = Math.min(1_000 * 2 ** Math.min(n, 40), 300_000);
          const delay = backoffMs(policy, n, random);
          expect(delay).toBeGreaterThanOrEqual(Math.floor(plain * 0.9));
          expect(delay).toBeLessThanOrEqual(Math.ceil(plain * 1.1));
        },
      ),
    );
  });
});
