import { expect, test } from "vitest";
import type { Json } from "../../src/base/json.js";
import { differences, mergePatch } from "../../src/base/merge-patch.js";

/** The table of RFC 7396, appendix A. */
test.each<[Json, Json, Json]>([
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])("%j patched by %j", (target, patch, expected) => {
  expect(mergePatch(target, patch)).toEqual(expected);
});

test("a key with a special name is a key, and changes nothing else", () => {
  const merged = mergePatch({}, JSON.parse('{"__proto__":{"admin":true}}'));
  expect(JSON.stringify(merged)).toBe('{"__proto__":{"admin":true}}');
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
});

test("differences name what changed, came and went", () => {
  expect(differences({ a: 1, b: { "c/d": [1] }, e: 2 }, { a: 1, b: { "c/d": [2] }, f: 3 })).toEqual(
    [
      { pointer: "/b/c~1d", before: [1], after: [2] },
      { pointer: "/e", before: 2, after: undefined },
      { pointer: "/f", before: undefined, after: 3 },
    ],
  );
});
