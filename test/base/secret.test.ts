import { describe, expect, it } from "vitest";
import { equalBytes, hexDigest, hmacSha256 } from "../../src/base/secret.js";

describe("signatures", () => {
  it("reproduce GitHub's published vector", () => {
    const digest = hmacSha256("It's a Secret to Everybody", "Hello, World!");
    expect(digest.toString("hex")).toBe(
      "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    );
  });

  it("compare equal only byte for byte", () => {
    expect(equalBytes(Buffer.from("abc"), Buffer.from("abc"))).toBe(true);
    expect(equalBytes(Buffer.from("abc"), Buffer.from("abd"))).toBe(false);
    expect(equalBytes(Buffer.from("abc"), Buffer.from("abcd"))).toBe(false);
  });

  it.each(["", "zz", "A".repeat(64), "a".repeat(63), "a".repeat(65)])("%j is no digest", (text) => {
    expect(hexDigest(text)).toBeNull();
  });
});
