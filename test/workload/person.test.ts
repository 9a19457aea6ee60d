import { describe, expect, it } from "vitest";
import { isBot, isFullName, normalMail, personKey, tidyName } from "../../src/workload/person.js";

describe("a mail", () => {
  it.each([
    ["Ada@Example.ORG ", "ada@example.org"],
    ["12345+ada@users.noreply.github.com", "ada@users.noreply.github.com"],
    ["ADA@users.noreply.github.com", "ada@users.noreply.github.com"],
    // Of an enterprise that manages its accounts.
    ["12345+ada_acme@users.noreply.github.com", "ada_acme@users.noreply.github.com"],
    [
      "49699333+dependabot[bot]@users.noreply.github.com",
      "dependabot[bot]@users.noreply.github.com",
    ],
  ])("%s is normally %s", (written, normal) => {
    expect(normalMail(written)).toBe(normal);
  });

  it("alone makes a person, whatever the name", () => {
    expect(personKey("Ada", "ADA@example.org")).toEqual(personKey("A. L.", "ada@example.org"));
  });

  it.each([
    "root@localhost",
    "ada@laptop",
    "ada@mac.local",
    "",
    "none@none",
    "x@host.(none)",
    "you@example.com",
  ])("%s is no evidence: two names are two persons", (mail) => {
    expect(personKey("Ada", mail).reason).toBe("same-mail-and-name");
    expect(personKey("Ada", mail).id).not.toBe(personKey("Bob", mail).id);
  });
});

describe("a name", () => {
  it.each(["Ada Lovelace", "Seán O’Casey", "Ada K. Lovelace", "安田 良子郎太次"])(
    "%s is full",
    (name) => {
      expect(isFullName(name.toLowerCase())).toBe(true);
    },
  );

  it.each(["ada", "ada 7", "your name", "unknown author", "a b", "x1 y2"])("%s is not", (name) => {
    expect(isFullName(name)).toBe(false);
  });

  it("is kept on one line, without control characters, and bounded", () => {
    expect(tidyName("  Ada \u0007\n Love\u200blace ")).toBe("Ada Love lace");
    expect(tidyName("x".repeat(5_000))).toHaveLength(200);
  });
});

describe("a bot", () => {
  it.each([
    ["dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com"],
    ["renovate-bot", "bot@renovateapp.com"],
    ["GitHub Actions", "actions@github.com"],
    ["release bot", "release@example.org"],
  ])("is seen in %s <%s>", (name, mail) => {
    expect(isBot(name, mail)).toBe(true);
  });

  it.each([
    ["Abbot Smith", "abbot@example.org"],
    ["Ada Lovelace", "ada@robotics.example.org"],
    ["Bo Talbot", "talbot@example.org"],
  ])("is not seen in %s <%s>", (name, mail) => {
    expect(isBot(name, mail)).toBe(false);
  });
});
