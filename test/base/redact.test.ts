import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedact } from "../../src/base/redact.js";

describe("redaction", () => {
  const secret = "p@ss/w0rd+x?";
  const redact = createRedact([secret, undefined, "abc"]);

  it.each([
    ["as it is", `user ${secret} end`],
    ["in base64", `auth ${Buffer.from(secret).toString("base64")}`],
    ["in base64url", `auth ${Buffer.from(secret).toString("base64url")}`],
    ["in a URL", `https://u:${encodeURIComponent(secret)}@host/`],
  ])("takes the secret out %s", (_form, text) => {
    const clean = redact(text);
    expect(clean).toContain("[redacted]");
    expect(clean).not.toContain(secret);
    expect(clean).not.toContain(encodeURIComponent(secret));
  });

  it("leaves values that are too short to be secrets", () => {
    expect(redact("abc")).toBe("abc");
  });

  it("never leaves a secret, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6 }), fc.string(), fc.string(), (value, before, after) => {
        const clean = createRedact([value])(before + value + after);
        expect(clean.replaceAll("[redacted]", "")).not.toBe(before + value + after);
      }),
    );
  });
});
