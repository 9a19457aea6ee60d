import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PolicyPath, parsePolicyPath, printPolicyPath } from "../../src/policy/path.js";
import { SECTIONS } from "../../src/policy/schema.js";

describe("a path", () => {
  it.each([
    ["retention", ["retention"]],
    ["retention.events_retention_days", ["retention", "events_retention_days"]],
    [
      "alerts.queue-depth-high.levels.high.value",
      ["alerts", "queue-depth-high", "levels", "high", "value"],
    ],
    ['metrics["algobrain.jobs.pending"].unit', ["metrics", "algobrain.jobs.pending", "unit"]],
    ["access.rules[0].role", ["access", "rules", "0", "role"]],
    ['schedules.x.payload["a \\"b\\" \\u00e9"]', ["schedules", "x", "payload", 'a "b" é']],
  ])("%s is read", (text, path) => {
    expect(parsePolicyPath(text)).toEqual(path);
  });

  it.each([
    ...["", ".", "retention.", ".retention", "retentions.x", "system", "__proto__", "retention..x"],
    ...[
      "retention[x]",
      "retention[1",
      'retention["x',
      'retention["\\x"]',
      "retention.x y",
      "retention x",
    ],
  ])("%j is none", (text) => {
    expect(parsePolicyPath(text)).toBeNull();
  });

  it("of any names is read as it was printed, and shows no control character", () => {
    const names = fc.array(fc.oneof(fc.string(), fc.string({ unit: "binary" })), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...SECTIONS), names, (section, steps) => {
        const path: PolicyPath = [section, ...steps];
        const printed = printPolicyPath(path);
        expect(parsePolicyPath(printed)).toEqual(path);
        expect(printed).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
});
