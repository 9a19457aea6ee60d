import { describe, expect, it } from "vitest";
import {
  bondBetween,
  EVIDENCE_WEIGHTS,
  type Facts,
  factsOf,
  findBonds,
  scoreOf,
} from "../../src/workload/evidence.js";

function person(id: string, ...signatures: [name: string, email: string][]): Facts {
  return factsOf(
    id,
    signatures.map(([name, email]) => ({ name, email })),
  );
}

const ada = person("a", ["Ada Lovelace", "ada@engine.org"]);

describe("evidence", () => {
  it("adds up by noisy-or: more of it is never less, and never more than 1 (HB-wrk-03)", () => {
    expect(scoreOf(["same-full-name"])).toBe(0.75);
    expect(scoreOf(["same-full-name", "same-domain"])).toBe(0.9);
    const all = Object.keys(EVIDENCE_WEIGHTS) as (keyof typeof EVIDENCE_WEIGHTS)[];
    const scores = all.map((_, count) => scoreOf(all.slice(0, count + 1)));
    expect(scores).toEqual([...scores].sort());
    expect(scores.at(-1)).toBeLessThan(1);
  });

  it.each<[string, Facts, number | null]>([
    ["one full name", person("b", ["ada  lovelace", "countess@gmail.com"]), 0.75],
    ["one full name at one company", person("b", ["Ada Lovelace", "al@engine.org"]), 0.9],
    ["another name at one company", person("b", ["Bob Hope", "bob@engine.org"]), null],
    ["a first name only", person("b", ["Ada", "countess@gmail.com"]), null],
  ])("of %s in one repository", (_, other, score) => {
    expect(bondBetween(ada, other, "here")?.score ?? null).toBe(score);
    expect(bondBetween(other, ada, "here")).toEqual(bondBetween(ada, other, "here"));
  });

  it("of a free mail's domain is none: strangers share it", () => {
    const one = person("a", ["Ada Lovelace", "ada@gmail.com"]);
    const other = person("b", ["Ada Lovelace", "al@gmail.com"]);
    expect(bondBetween(one, other, "here")?.evidence).toEqual(["same-full-name"]);
  });

  it("across repositories is weaker: a name alone only asks, with the company's domain it merges", () => {
    const elsewhere = (email: string) =>
      bondBetween(ada, person("b", ["Ada Lovelace", email]), "elsewhere")?.score;
    expect(elsewhere("al@gmail.com")).toBe(0.4);
    expect(elsewhere("al@engine.org")).toBe(0.76);
  });

  it("of one account, as GitHub's pushes say, outweighs different names", () => {
    const logins = new Map([["countess@home.org", "ada"]]);
    const pushed = factsOf("b", [{ name: "Countess", email: "countess@home.org" }], logins);
    const account = person("a", ["ada", "1+Ada@users.noreply.github.com"]);
    expect(bondBetween(account, pushed, "here")).toEqual({
      personIds: ["a", "b"],
      score: 0.97,
      evidence: ["same-github-login"],
    });
  });
});

describe("a shared mailbox", () => {
  const names = ["Ada Lovelace", "Bob Hope", "Cleo Patra", "Dora Maar"];
  const shared = person("s", ...names.map((name): [string, string] => [name, "dev@engine.org"]));

  it("makes nobody one with anybody, though all their names are in it", () => {
    const own = names.map((name, at) => person(`p${at}`, [name, `${at}@engine.org`]));
    expect(findBonds([...own, shared])).toEqual([]);
  });
});

describe("bonds", () => {
  it("of n who bear one name are n − 1, not n²", () => {
    const all = Array.from({ length: 101 }, (_, at) =>
      person(`p${1000 + at}`, ["Ada Lovelace", `${at}@host${at}.org`]),
    );
    expect(findBonds(all.slice(0, 100))).toHaveLength(99);
    // So many mails no person has.
    expect(findBonds(all)).toEqual([]);
  });

  it("hold two of one company together, though a stranger of that name came first", () => {
    const bonds = findBonds([
      person("a", ["Ada Lovelace", "ada@gmail.com"]),
      person("b", ["Ada Lovelace", "b@engine.org"]),
      person("c", ["Ada Lovelace", "c@engine.org"]),
    ]);
    expect(bonds).toContainEqual({
      personIds: ["b", "c"],
      score: 0.9,
      evidence: ["same-full-name", "same-domain"],
    });
  });
});
