/** Whatever happens to a file, the answer is a policy or problems with a place: never an exception. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Problem } from "../../src/base/problem.js";
import { checkPolicies, loadPolicySet } from "../../src/policy/bundle.js";
import { checkShape } from "../../src/policy/check/shape.js";
import { roleOf } from "../../src/policy/files.js";
import { ENVIRONMENT_SCHEMA } from "../../src/policy/json-schema.js";
import { parsePolicyText } from "../../src/policy/parse.js";
import { SECTION_SCHEMAS } from "../../src/policy/schema.js";
import type { SourceFile } from "../../src/policy/source.js";
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

/** A problem stands in the text it speaks of, and speaks to people. */
function expectTold({ file, line, column, message }: Problem, files: readonly SourceFile[]): void {
  const lines = files.find((candidate) => candidate.path === file)?.text.split(/\r\n|\n|\r/);
  expect(line).toBeLessThanOrEqual(lines?.length ?? 0);
  expect(column).toBeLessThanOrEqual((lines?.[line - 1]?.length ?? 0) + 1);
  expect(message).not.toMatch(/undefined|\[object|what the schema says/);
}

describe("a mutated policy file", () => {
  it("gives a policy or problems that lie in the text", () => {
    fc.assert(
      fc.property(mutation, (change) => {
        const { path, text } = mutate(change);
        const files = withFile(path, text);
        for (const problem of checkPolicies(files)) expectTold(problem, files);
      }),
      { numRuns: 100 },
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

/** One byte of one file: another one, one more, or one less. Bytes that are no UTF-8 become U+FFFD, as on reading. */
const byteEdit = fc.record({
  file: fc.nat({ max: SHIPPED.length - 1 }),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  how: fc.constantFrom("replace", "insert", "delete"),
  byte: fc.nat({ max: 255 }),
});

const BYTES = SHIPPED.map(({ text }) => Buffer.from(text));

function editByte({
  file,
  at,
  how,
  byte,
}: typeof byteEdit extends fc.Arbitrary<infer T> ? T : never): SourceFile {
  const bytes = BYTES[file]!;
  const from = Math.floor(at * bytes.length);
  const kept = how === "insert" ? from : from + 1;
  const added = how === "delete" ? [] : [byte];
  const text = Buffer.concat([bytes.subarray(0, from), Buffer.from(added), bytes.subarray(kept)]);
  return { path: SHIPPED[file]!.path, text: text.toString("utf8") };
}

const VERDICT_MAX_MS = 100;

/** What hangs hangs every time; a machine that does something else does not. */
function expectPrompt<T>(judge: () => T): T {
  for (let attempt = 1; ; attempt++) {
    const startedMs = performance.now();
    const verdict = judge();
    const tookMs = performance.now() - startedMs;
    if (tookMs < VERDICT_MAX_MS) return verdict;
    expect(attempt, `took ${tookMs} ms`).toBeLessThan(3);
  }
}

/** The text and its shape. A new object each time: what was read once would be remembered. */
function judgeFile(file: SourceFile): readonly Problem[] {
  const { root, problems } = parsePolicyText({ ...file });
  const role = roleOf(file.path);
  expect(root !== null || problems.length > 0).toBe(true);
  if (root === null || role.kind === "unknown") return problems;
  const schema = role.kind === "section" ? SECTION_SCHEMAS[role.section] : ENVIRONMENT_SCHEMA;
  return [...problems, ...checkShape(root, schema)];
}

describe("10,000 edits of one byte", () => {
  it("are each read and judged within 100 ms, 9,500 of them file by file", () => {
    fc.assert(
      fc.property(byteEdit, (edit) => {
        const file = editByte(edit);
        for (const problem of expectPrompt(() => judgeFile(file))) expectTold(problem, [file]);
      }),
      { numRuns: 9_500 },
    );
  });

  it("and 500 of them with all that the sections say of each other", () => {
    fc.assert(
      fc.property(byteEdit, (edit) => {
        const file = editByte(edit);
        const files = withFile(file.path, file.text);
        for (const problem of expectPrompt(() => checkPolicies(files))) expectTold(problem, files);
      }),
      { numRuns: 500 },
    );
  });
});
