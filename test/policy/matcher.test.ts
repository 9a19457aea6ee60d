/** Matchers as Alertmanager reads them, and the patterns that may stand in them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesAll, printMatcher, readMatcher } from "../../src/policy/matcher.js";
import { readPattern, SUBJECT_MAX } from "../../src/policy/safe-pattern.js";

function read(text: string) {
  const found = readMatcher(text);
  if (!found.ok) throw new Error(found.reason);
  return found.value;
}

describe("a matcher", () => {
  // The forms of Alertmanager's own pkg/labels/parse_test.go.
  it.each<[string, string, string, boolean, boolean]>([
    ['rule="queue-depth-high"', "rule", "queue-depth-high", false, true],
    ["rule=queue-depth-high", "rule", "queue-depth-high", false, true],
    [' rule = "a b" ', "rule", "a b", false, true],
    ['worker_type=~"index|score"', "worker_type", "index|score", true, true],
    ["level!=high", "level", "high", false, false],
    ['level!~"h.*"', "level", "h.*", true, false],
    ['a="say \\"x\\", then \\\\"', "a", 'say "x", then \\', false, true],
    ['a="one\\ntwo"', "a", "one\ntwo", false, true],
    ["a=", "a", "", false, true],
    ['a=""', "a", "", false, true],
    ["a==b", "a", "=b", false, true],
  ])("%s", (text, name, value, isRegex, isEqual) => {
    expect(read(text)).toEqual({ name, value, isRegex, isEqual });
  });

  it.each(["", "rule", '="x"', "1a=b", 'a="b', 'a=b"', 'a="b"c"', 'a="\\q"', "a b=c"])(
    "is none: %s",
    (text) => expect(readMatcher(text)).toMatchObject({ ok: false }),
  );

  it("reads back as it is printed", () => {
    const matcher = fc.record({
      name: fc.constantFrom("rule", "worker_type", "_a1"),
      value: fc.string(),
      isRegex: fc.boolean(),
      isEqual: fc.boolean(),
    });
    fc.assert(
      fc.property(matcher, (one) => {
        expect(read(printMatcher(one))).toEqual(one);
      }),
    );
  });
});

describe("all matchers of a silence", () => {
  const labels = { rule: "queue-depth-high", worker_type: "index" };
  it.each<[string[], boolean]>([
    [["rule=queue-depth-high"], true],
    [["rule=queue-depth"], false],
    [["rule=~queue-.*"], true],
    // Anchored on both sides.
    [["rule=~queue"], false],
    [["rule=~a|queue-depth-high|b"], true],
    [["rule=queue-depth-high", "worker_type!=index"], false],
    [["rule=queue-depth-high", "worker_type!~score|gc"], true],
    // What is not there is empty.
    [["host="], true],
    [["host!="], false],
    [["host=~.*"], true],
    [["host=~.+"], false],
    [["constructor=~.+"], false],
    [["__proto__=~.+"], false],
    // No pattern that is refused hides anything, whichever way round.
    [["rule=~(a+)+"], false],
    [["rule!~(a+)+"], false],
  ])("%j: %s", (texts, expected) => {
    expect(matchesAll(texts.map(read), labels)).toBe(expected);
  });
});

describe("a pattern", () => {
  it.each([
    "index|score",
    "queue-.*",
    ".*a.*b.*",
    "(index|score)-[0-9]{1,3}",
    "[^)*+]*",
    "a\\)*\\(",
    "x.*|y.*|z.*|v.*|w.*",
    ".{1,64}",
    "a{150}",
    "",
  ])("is read: %s", (text) => expect(readPattern(text)).toMatchObject({ ok: true }));

  it.each([
    ["(a+)+", "repeats a group"],
    ["(a|b)*", "repeats a group"],
    ["(a|b){2,}", "repeats a group"],
    ["(a|b)?", "repeats a group"],
    ["(a)\\1", "looks around or back"],
    ["(?<x>a)\\k<x>", "looks around or back"],
    ["a(?=b)", "looks around or back"],
    ["a(?!b)", "looks around or back"],
    ["(?<=a)b", "looks around or back"],
    ["(?i)a", "looks around or back"],
    ["a*a*a*a*b", "too many ways"],
    ["a{0,}b{1,}c*d+", "too many ways"],
    ["a*a*(x|y)a*a*", "too many ways"],
    ["a?".repeat(24) + "a".repeat(24), "too many ways"],
    [`${".?".repeat(9)}X`, "too many ways"],
    ["(a|a)".repeat(24), "too many ways"],
    ["a".repeat(201), "has 201 characters"],
    ["a(", "is no regular expression"],
    ["[b", "is no regular expression"],
  ])("is refused: %s %s", (text, reason) => {
    const found = readPattern(text);
    expect(found.ok ? "" : found.reason).toContain(reason);
  });

  it("never takes long, whatever it says", () => {
    const piece = fc.constantFrom(
      "a",
      "b",
      ".",
      "[ab]",
      "a*",
      ".*",
      "a+",
      "a{2,9}",
      "|",
      "(a|b)",
      "?",
      "\\w",
    );
    const pattern = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(""));
    const text = "a".repeat(SUBJECT_MAX);
    fc.assert(
      fc.property(pattern, (one) => {
        const found = readPattern(one);
        if (!found.ok) return;
        const before = process.cpuUsage();
        found.value.test(`${text.slice(1)}!`);
        const { user, system } = process.cpuUsage(before);
        expect((user + system) / 1000).toBeLessThan(500);
      }),
      { numRuns: 200 },
    );
  });
});
