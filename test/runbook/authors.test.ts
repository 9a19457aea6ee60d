/** Who wrote a runbook, and what that person's word is worth: tables of the pure rules. */
import { describe, expect, test } from "vitest";
import type { Access, Person } from "../../src/policy/policy.js";
import {
  areAllAuthors,
  authorshipOf,
  bindToAuthors,
  whyNotAlone,
} from "../../src/runbook/authors.js";
import { readRunbookAuthors } from "../../src/runbook/authors-file.js";
import { makePerson } from "../support/make-policy.js";

const people: readonly Person[] = [
  makePerson("ann", { subjects: ["git:Ann@Example.com", "ann"], github: "Ann-Smith" }),
  makePerson("bob", { subjects: ["git:bob@example.com", "bob@example.com"] }),
  makePerson("eve", { subjects: ["git:shared@example.com"] }),
  makePerson("dan", { subjects: ["git:shared@example.com"] }),
];
const access: Access = {
  ...{ people, groups: {}, rules: [] },
  serviceRoles: { pagerduty: "operator", policy: "operator" },
};
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const by = (...emails: string[]) => ({
  commit: COMMIT,
  authors: emails.map((email) => ({ name: "bob", email })),
});

test.each<[string, string, readonly string[]]>([
  ["an address is a person", "bob@example.com", ["bob"]],
  ["in any case, as Git's mailmap compares", "ANN@example.COM", ["ann"]],
  [
    "GitHub's own address is the person's login",
    "1234+ann-smith@users.noreply.github.com",
    ["ann"],
  ],
  ["also in its old form", "Ann-Smith@users.noreply.github.com", ["ann"]],
  ["a longer domain is another", "ann-smith@users.noreply.github.com.example.org", []],
  ["an address that fits two is nobody's", "shared@example.com", []],
  ["a token's subject is no address of commits", "ann", []],
  ["the name of the author is never looked at", "mallory@example.com", []],
  ["no address is nobody's", "", []],
])("%s", (_claim, email, found) => {
  const { people: names, unknown } = authorshipOf(by(email), access);
  expect(names).toEqual(found);
  expect(unknown === null).toBe(found.length > 0);
});

describe("who wrote it", () => {
  test("is everybody who is named, once", () => {
    const change = by("bob@example.com", "ann@example.com", "BOB@example.com");
    expect(authorshipOf(change, access)).toEqual({ people: ["ann", "bob"], unknown: null });
  });

  test("is partly known where one of them is nobody, and it says what to enter", () => {
    const { people: names, unknown } = authorshipOf(
      by("bob@example.com", "x@home.example"),
      access,
    );
    expect(names).toEqual(["bob"]);
    expect(unknown).toBe(
      "x@home.example of commit 0123456789ab is nobody in access.yaml: enter git:x@home.example under a person",
    );
  });

  test("is nobody where it was in no commit, or nothing is known", () => {
    expect(authorshipOf({ commit: null, authors: [] }, access).unknown).toContain("in no commit");
    expect(authorshipOf(null, access).unknown).toContain("no Git history");
    expect(authorshipOf({ commit: COMMIT, authors: [] }, access).unknown).not.toBeNull();
  });
});

const RULE = { needed: 1, role: "operator", team: null, withinMs: 1 } as const;
test.each<[string, string | null, boolean, number, number]>([
  ["a known author asks nobody else", null, false, 1, 1],
  ["an unknown one may be anybody: two people", "why", false, 1, 2],
  ["who asks for three has two", "why", false, 3, 3],
  ["in local one person is all there is", "why", true, 1, 1],
])("%s", (_claim, unknown, isLocal, asked, needed) => {
  const rule = bindToAuthors({ ...RULE, needed: asked }, { people: ["ann"], unknown }, isLocal);
  expect(rule).toMatchObject({ needed, authors: ["ann"], authorUnknown: unknown });
});

test.each<[readonly string[], readonly string[], boolean]>([
  [["ann"], ["ann"], true],
  [["ann", "bob"], ["bob", "ann"], true],
  [["ann", "bob"], ["ann"], false],
  [["ann"], [], false],
  [[], ["ann"], false],
])("%j of the authors %j: alone is %s", (agreed, authors, alone) => {
  expect(areAllAuthors(agreed, authors)).toBe(alone);
});

const KNOWN = { people: ["ann"], unknown: null };
const UNKNOWN = { people: [], unknown: "no Git" };
test.each<[string, string | null, typeof KNOWN | typeof UNKNOWN, boolean, string | null]>([
  ["the author does not", "ann", KNOWN, false, "you wrote the last change of fix"],
  ["the author does not in local either", "ann", KNOWN, true, "you wrote the last change of fix"],
  ["another does", "bob", KNOWN, false, null],
  ["who is nobody might be the author", null, KNOWN, false, "your account is nobody"],
  ["of what nobody knows anybody might be", "bob", UNKNOWN, false, "nobody knows who wrote"],
  ["in local nobody asks", null, UNKNOWN, true, null],
])("of those who may raise trust alone: %s", (_claim, giver, authorship, isLocal, why) => {
  const said = whyNotAlone("fix", giver, authorship, isLocal);
  if (why === null) expect(said).toBeNull();
  else expect(said).toContain(why);
});

describe("the file of the build", () => {
  const contentHash = "a".repeat(64);
  const entry = { contentHash, ...by("ann@example.com") };
  const text = JSON.stringify({ runbooks: { fix: entry } });

  test("says nothing of another content, of another runbook, or of what is no entry", () => {
    const authors = readRunbookAuthors(text);
    expect(authors.changeOf("fix", contentHash)).toEqual(by("ann@example.com"));
    expect(authors.changeOf("fix", "b".repeat(64))).toBeNull();
    expect(authors.changeOf("other", contentHash)).toBeNull();
    expect(authors.changeOf("constructor", contentHash)).toBeNull();
    expect(readRunbookAuthors(null).changeOf("fix", contentHash)).toBeNull();
  });

  test.each<[string, string]>([
    ["half of it", text.slice(0, 40)],
    ["another shape", "[]"],
    ["a commit that is none", text.replace(COMMIT, "HEAD")],
    ["a key that nobody knows", text.replace('"commit"', '"commits"')],
  ])("is refused with what to do: %s", (_claim, broken) => {
    expect(() => readRunbookAuthors(broken)).toThrow(
      expect.objectContaining({
        code: "RUNBOOK_AUTHORS_UNREADABLE",
        hint: expect.stringContaining("build"),
      }),
    );
  });
});
