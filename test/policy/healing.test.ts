import { describe, expect, it } from "vitest";
import { BREAKER_DEFAULTS } from "../../src/base/breaker.js";
import { resolveBreakers } from "../../src/policy/resolve-breakers.js";
import { linesOf, withEdit } from "./shipped.js";

const PATH = "policies/algobrain/healing.yaml";

/** What is wrong → what stands there → what somebody wrote instead, `¦` before the place → what is said there. */
const BROKEN: readonly (readonly [string, string, string, string])[] = [
  [
    "a rate in per cent",
    "successRateMin: 0.5",
    "successRateMin: ¦50",
    "found 50, expected at most 1",
  ],
  [
    "something that we do not call",
    "pagerduty: {",
    "¦pagerdutty: {",
    'unknown key "pagerdutty" (did you mean "pagerduty"?)',
  ],
  [
    "a bare number of whatever",
    "open: 10s",
    "open: ¦10",
    "found 10, expected a duration such as 90s, 5m or 1h30m (with a unit, such as 10s)",
  ],
  ["a jitter above 1", "jitter: 0.1", "jitter: ¦1.5", "found 1.5, expected at most 1"],
  ["breakers without a probe", "probes: 3", "probes: ¦0", "found 0, expected at least 1"],
];

describe("healing.yaml", () => {
  it.each(BROKEN)("with %s is refused at its place", (_, from, to, message) => {
    const { files, places } = withEdit(PATH, from, to);
    expect(linesOf(files)).toEqual([`${places[0]}: ${message}`]);
  });

  it("gives breakers our defaults, then those of all, then those of one", () => {
    expect(resolveBreakers().github).toEqual(BREAKER_DEFAULTS);
    const rules = resolveBreakers({
      ...{ open: "1m", probes: 5 },
      dependencies: { slack: { probes: 1, p95Max: "250ms" } },
    });
    expect(rules.github).toEqual({ ...BREAKER_DEFAULTS, openMs: 60_000, probes: 5 });
    expect(rules.slack).toEqual({ ...rules.github, probes: 1, p95MaxMs: 250 });
  });
});
