import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { makeSecretValue, SECRET_KINDS } from "../../src/base/secret-kinds.js";

describe("makeSecretValue", () => {
  test.each([
    ["webhook", /^[0-9a-f]{64}$/, 64],
    ["jwt", /^[A-Za-z0-9+/]{86}==$/, 88],
    ["database", /^[A-Za-z0-9_-]{43}$/, 43],
    ["redis", /^[A-Za-z0-9]{64}$/, 64],
  ] as const)("a %s has its length and its characters (HB-sec-02, X-32)", (kind, form, length) => {
    const value = makeSecretValue(kind, randomBytes).reveal();
    expect(value).toMatch(form);
    expect(value).toHaveLength(length);
    expect(value).not.toMatch(/[\s,]/);
  });

  test("a JWT secret decodes to 64 bytes and holds no newline (HB-req-13)", () => {
    const value = makeSecretValue("jwt", randomBytes).reveal();
    expect(Buffer.from(value, "base64")).toHaveLength(64);
    expect(value).not.toContain("\n");
  });

  test("a database password goes into an address as it is", () => {
    const value = makeSecretValue("database", randomBytes).reveal();
    expect(encodeURIComponent(value)).toBe(value);
  });

  test.each(SECRET_KINDS)("two of kind %s differ, and nothing that prints one shows it", (kind) => {
    const one = makeSecretValue(kind, randomBytes);
    expect(one.reveal()).not.toBe(makeSecretValue(kind, randomBytes).reveal());
    for (const shown of [`${one}`, JSON.stringify({ one }), inspect(one)])
      expect(shown).not.toContain(one.reveal());
  });

  test("symbols that a cache refuses are drawn again, and a source without letters is no endless loop", () => {
    let draws = 0;
    const rich = (count: number) => {
      draws += 1;
      return Buffer.alloc(count, draws === 1 ? 0xff : 0x41);
    };
    expect(makeSecretValue("redis", rich).reveal()).toMatch(/^[A-Za-z0-9]{64}$/);
    expect(() => makeSecretValue("redis", (count) => Buffer.alloc(count, 0xff))).toThrow("random");
  });
});
