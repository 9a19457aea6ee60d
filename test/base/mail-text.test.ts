import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { replaceMails } from "../../src/base/mail-text.js";

const seen = (text: string) => {
  const found: string[] = [];
  replaceMails(text, (local, domain) => {
    found.push(`${local} at ${domain}`);
    return "";
  });
  return found;
};

describe("replaceMails", () => {
  it.each([
    ["Ada <ada@example.org>, bob@b.example.", ["ada at example.org", "bob at b.example"]],
    ["4711+ada@users.noreply.github.com", ["4711+ada at users.noreply.github.com"]],
    ["zoë@müller.example and 𝒜da@x.example", ["zoë at müller.example", "𝒜da at x.example"]],
    ["author=ada@example.org", ["author=ada at example.org"]],
    ["a@b@c.example", ["a at b"]],
    ["@ada, 5 @ home, ada@, (@)", []],
  ])("finds in %j", (text, expected) => {
    expect(seen(text)).toEqual(expected);
  });

  it("leaves every other character as it is", () => {
    const piece = fc.constantFrom("ada", "@", ".", "example", " ", "<", "é", "\ud835", "=", "\n");
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const text = pieces.join("");
        expect(replaceMails(text, (local, domain) => `${local}@${domain}`)).toBe(text);
      }),
    );
  });

  it.each(["a", "@", "a@", ".", "<a", "é"])(
    "takes no longer than reading for 1 MB of %j",
    (part) => {
      const text = part.repeat(1_000_000 / part.length);
      const startedAt = performance.now();
      replaceMails(text, (local) => local);
      // Some 50 ms here; a search that begins anew at each character takes minutes.
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    },
  );
});
