import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../src/base/json.js";

describe("canonical JSON", () => {
  it("sorts keys at every depth and drops undefined ones", () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: undefined, A: "x" })).toBe(
      '{"A":"x","b":[{"c":null,"d":1}]}',
    );
  });

  it("is the same for values that differ only in the order of keys, and reads back as the same value", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(value));
        expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
      }),
    );
  });
});
