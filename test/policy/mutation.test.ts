/** Whatever happens to a file, the answer is a policy or problems with a place: never an exception. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPolicies, loadPolicySet } from "../../src/policy/bundle.js";
import { parsePolicyText } from "../../src/policy/parse.js";
import { SHIPPED, withFile } from "./shipped.js";

/** What breaks YAML and what breaks meaning. */
const SPICE = fc.constantFrom(
  ..."'\"[]{}:,#&*!|>%@`-?\t\n\r\0\uFEFF\uFFFD ",
  "\n---\n",
  "- ",
  ": ",
  "<<: ",
  "null",
  "0x1F",
  "-1",
  "1e400",
  "__proto__: ",
  "toString",
  "💥",
);

const mutation = fc.record({
  file: fc.nat({ max: SHIPPED.length - 1 }),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.nat({ max: 30 }),
  added: fc.array(SPICE, { maxLength: 4 }),
});

function mutate({
  file,
  at,
  removed,
  added,
}: typeof mutation extends fc.Arbitrary<infer T> ? T : never) {
  const { path, text } = SHIPPED[file]!;
  const start = Math.floor(at * text.length);
  return { path, text: text.slice(0, start) + added.join("") + text.slice(start + removed) };
}

describe("a mutated policy file", () => {
  it("gives a policy or problems that lie in the text", () => {
    fc.assert(
      fc.property(mutation, (change) => {
        const { path, text } = mutate(change);
        const files = withFile(path, text);
        for (const { file, line, column, message } of checkPolicies(files)) {
          const lines = files
            .find((candidate) => candidate.path === file)
            ?.text.split(/\r\n|\n|\r/);
          expect(line).toBeLessThanOrEqual(lines?.length ?? 0);
          expect(column).toBeLessThanOrEqual((lines?.[line - 1]?.length ?? 0) + 1);
          expect(message).not.toMatch(/undefined|\[object|what the schema says/);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("gives the same answer every time", () => {
    fc.assert(
      fc.property(mutation, (change) => {
        const { path, text } = mutate(change);
        const files = withFile(path, text);
        expect(loadPolicySet(files, "production")).toEqual(
          loadPolicySet([...files].reverse(), "production"),
        );
      }),
      { numRuns: 50 },
    );
  });

  it("is read to the end for any text at all", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(SPICE, fc.string({ maxLength: 5 })), { maxLength: 60 }),
        (parts) => {
          const { root, problems } = parsePolicyText({ path: "x.yaml", text: parts.join("") });
          expect(root !== null || problems.length > 0).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  const LENGTH = 256 * 1024;
  const PATTERNS = [
    ...["a: 1\n", "[", "{", "? ", "- ", "a: ", "'a', ", "{a: [b, {c: d}]}, ", "[a]: b, ", "# '\n"],
    ...["---\na: 1\n", "&a ", "*a ", "\r", "\t", " ", "''", '"', "a b c: d, "],
  ];

  it.each(PATTERNS)("filled with %j up to the limit is answered in few words", (pattern) => {
    for (const start of ["", "x: [", "x: {", "x: "]) {
      const text = (start + pattern.repeat(LENGTH / pattern.length)).slice(0, LENGTH);
      const problems = checkPolicies(withFile("policies/algobrain/metrics.yaml", text));
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.length).toBeLessThan(300);
    }
  });
});
