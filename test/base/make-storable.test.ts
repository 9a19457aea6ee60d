import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { makeStorable } from "../../src/base/make-storable.js";
import { findUnstorable } from "../../src/base/storable.js";

describe("foreign JSON made storable", () => {
  it("holds nothing that would be refused, whatever it held, and is not changed a second time", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 4 }),
      fc.constantFrom("a\u0000b", "\ud800", "\udc00x", "__proto__", "constructor"),
    );
    const value = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(text, fc.double(), fc.constant(null), fc.boolean()),
        fc.array(tie("json"), { maxLength: 3 }),
        fc.array(fc.tuple(text, tie("json")), { maxLength: 3 }).map(objectOf),
      ),
    })).json;
    fc.assert(
      fc.property(value, (json) => {
        const made = makeStorable({ json } as JsonObject);
        expect(findUnstorable(made)).toEqual([]);
        expect(makeStorable(made)).toEqual(made);
      }),
      { numRuns: 40 },
    );
  });

  it("keeps what could be stored as it was, and cuts what is too deep", () => {
    const fine = { text: "naïve 🙂", list: [1, null, { deep: true }] };
    expect(makeStorable(fine)).toEqual(fine);
    const deep = JSON.parse(`{"a":${"[".repeat(60)}${"]".repeat(60)}}`) as JsonObject;
    expect(findUnstorable(deep)).not.toEqual([]);
    expect(findUnstorable(makeStorable(deep))).toEqual([]);
  });
});

/** As a parser makes it: also a key that assignment would not. */
function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  const made = {};
  for (const [key, value] of entries)
    Object.defineProperty(made, key, { value, enumerable: true, configurable: true });
  return made;
}
