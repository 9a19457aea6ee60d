/** Keys that stand twice: found wherever they stand and however they are written, and no other. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { findRepeatedKey } from "../../src/base/repeated-key.js";

test.each([
  ['{"a":1,"a":2}', "a"],
  ['{"a":1,"\\u0061":2}', "a"],
  ['[{"x":{"b":[1,{"c":1, "d" : {} , "c":2}]}}]', "c"],
  ['{"":1,"":2}', ""],
  ['{"a\\"":1,"b":"\\\\","a\\"":2}', 'a"'],
  ['{"a":{"b":1},"c":"x","a":[]}', "a"],
  ['{"__proto__":1,"__proto__":2}', "__proto__"],
])("in %s it is %j", (text, key) => {
  expect(findRepeatedKey(text)).toBe(key);
});

test.each([
  '{"a":1,"A":2}',
  '{"a":"a","b":["a","a","b"]}',
  '[{"a":1},{"a":2}]',
  '{"a":{"a":{"a":"{\\"a\\":1,\\"a\\":2}"}}}',
  '{"a":",\\"a\\":","b":"\\\\"}',
  '"a"',
  "[]",
  "",
])("in %s there is none", (text) => {
  expect(findRepeatedKey(text)).toBeNull();
});

test("of any value as JSON.stringify writes it none is found, and with one key more that is there, that one", () => {
  const objects = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue(), { minKeys: 1 });
  fc.assert(
    fc.property(objects, fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      expect(findRepeatedKey(text)).toBeNull();
      const [key] = Object.keys(value);
      const again = `${text.slice(0, text.lastIndexOf("}"))},${JSON.stringify(key)}:0}`;
      expect(findRepeatedKey(again)).toBe(key);
    }),
  );
});

test("a megabyte costs milliseconds, deep or wide, full of quotes and of backslashes", () => {
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [i, i])));
  const slashes = JSON.stringify({ a: "\\".repeat(500_000), b: '"'.repeat(250_000) });
  for (const text of [deep, wide, slashes]) {
    const startedMs = performance.now();
    expect(findRepeatedKey(text)).toBeNull();
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  }
});
