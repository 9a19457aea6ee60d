import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAge, formatDuration, parseDuration } from "../../src/base/duration.js";

describe("a duration", () => {
  it.each([
    ["0s", 0],
    ["500ms", 500],
    ["90s", 90_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["1w", 604_800_000],
  ])("%s is %i milliseconds", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    "",
    "5",
    "m",
    "5 m",
    "5 mins",
    "-5m",
    "1.5h",
    "5M",
    "5m ",
    "1e3s",
    `${"9".repeat(400)}d`,
  ])("%j is none", (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it("is shown to people in whole seconds", () => {
    expect([61_417, 999, 0, -5].map(formatAge)).toEqual(["1m1s", "0s", "0s", "0s"]);
  });

  it("reads back whatever it prints", () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000_000_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});
