import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Author } from "../../src/workload/authors.js";
import { gatherPeople } from "../../src/workload/people.js";
import { personKey } from "../../src/workload/person.js";

function author(name: string, email: string, commitCount = 1): Author {
  const at = new Date("2026-01-01T00:00:00Z");
  return { kind: "author", name, email, commitCount, firstSeenAt: at, lastSeenAt: at };
}

describe("people of a repository", () => {
  it("are one for one mail, named as on most commits", () => {
    const { persons, claims } = gatherPeople([
      author("ada", "Ada@example.org", 2),
      author("Ada Lovelace", "ada@example.org", 5),
    ]);
    expect(persons).toEqual([
      expect.objectContaining({ name: "Ada Lovelace", email: "ada@example.org", kind: "human" }),
    ]);
    expect(claims.map(({ reason }) => reason)).toEqual(["same-mail", "same-mail"]);
  });

  it("are one for one full name with two mails, and the reason is kept", () => {
    const { persons, bonds } = gatherPeople([
      author("Ada Lovelace", "ada@example.org"),
      author("ada  lovelace", "ada@home.example.net"),
    ]);
    expect(persons).toHaveLength(2);
    const personIds = persons.map(({ id }) => id);
    expect(bonds).toEqual([{ personIds, score: 0.75, evidence: ["same-full-name"] }]);
  });

  it("are one for a first name with the same login at two hosts, but not with another login", () => {
    const same = [
      author("ada", "1+ada@users.noreply.github.com"),
      author("ada", "ada@example.org"),
    ];
    expect(gatherPeople(same).bonds).toEqual([
      expect.objectContaining({ evidence: ["same-login-and-name"] }),
    ]);
    const other = [author("ada", "ada@example.org"), author("ada", "ada.byron@example.net")];
    expect(gatherPeople(other).bonds).toEqual([]);
  });

  it("never include a bot that shares a name with somebody", () => {
    const { persons, bonds } = gatherPeople([
      author("Release Bot", "release@example.org"),
      author("Release Bot", "other@example.org"),
    ]);
    expect(persons.map(({ kind }) => kind)).toEqual(["bot", "bot"]);
    expect(bonds).toEqual([]);
  });

  it("do not depend on the order of the history", () => {
    const names = fc.constantFrom("Ada Lovelace", "ada", "Bob Hope", "bot", "");
    const mails = fc.constantFrom("ada@a.org", "ADA@a.org", "bob@b.org", "root@localhost", "");
    const authors = fc.uniqueArray(fc.tuple(names, mails, fc.integer({ min: 1, max: 3 })), {
      selector: ([name, mail]) => `${name} ${mail}`,
    });
    fc.assert(
      fc.property(authors, (list) => {
        const made = list.map(([name, mail, count]) => author(name, mail, count));
        expect(gatherPeople([...made].reverse())).toEqual(gatherPeople(made));
      }),
    );
  });

  it("that were forgotten are one line each, without a name, and one with nobody", () => {
    const { persons, bonds, claims } = gatherPeople([
      author("(forgotten)", "", 9),
      author("Ada Lovelace", "ada@example.org"),
    ]);
    expect(claims).toMatchObject([{ personId: "person-forgotten", reason: "forgotten" }, {}]);
    expect(persons.map(({ id }) => id)).toContain("person-forgotten");
    expect(bonds).toEqual([]);
  });

  it("have ids made from the evidence, so that every repository finds the same", () => {
    const { persons } = gatherPeople([author("Ada Lovelace", "ada@example.org")]);
    expect(persons[0]?.id).toBe(personKey("someone", "ADA@example.org").id);
    expect(persons[0]?.id).toMatch(/^person-[0-9a-f]{16}$/);
  });
});
