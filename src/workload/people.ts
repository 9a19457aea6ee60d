/**
 * From signatures to people: which signatures are one person at once (the same mail), and which persons
 * are one by further evidence found in this repository. Pure, and the same for any order of the input.
 */
import type { Author } from "./authors.js";
import { githubLogin, isBot, isFullName, normalMail, normalName, personKey } from "./person.js";

export interface Person {
  readonly id: string;
  /** As on most of the commits. */
  readonly name: string;
  readonly email: string;
  readonly kind: "human" | "bot";
}

export interface PersonClaim extends Author {
  readonly personId: string;
  readonly reason: string;
}

/** Two persons who are one, and why we think so. */
export interface MergeEvidence {
  readonly personIds: readonly [string, string];
  readonly reason: "same-full-name" | "same-login-and-name";
}

export interface People {
  readonly persons: readonly Person[];
  readonly claims: readonly PersonClaim[];
  readonly merges: readonly MergeEvidence[];
}

/** Characters: shorter logins are initials, and many people share them. */
const LOGIN_MIN = 3;

interface Gathered {
  readonly id: string;
  readonly signatures: Author[];
  isBot: boolean;
}

export function gatherPeople(authors: readonly Author[]): People {
  const gathered = new Map<string, Gathered>();
  const claims = [...authors].sort(byWeight).map((author): PersonClaim => {
    const { id, reason } = personKey(author.name, author.email);
    const person = gathered.get(id) ?? { id, signatures: [], isBot: false };
    gathered.set(id, person);
    person.signatures.push(author);
    person.isBot ||= isBot(author.name, author.email);
    return { ...author, personId: id, reason };
  });
  const all = [...gathered.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { persons: all.map(toPerson), claims, merges: findMerges(all) };
}

/** Most commits first; then by text, so that equal counts do not depend on the order of the history. */
function byWeight(a: Author, b: Author): number {
  return (
    b.commitCount - a.commitCount ||
    compareText(a.email, b.email) ||
    compareText(a.name, b.name) ||
    compareText(a.kind, b.kind)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function toPerson(gathered: Gathered): Person {
  const first = gathered.signatures[0];
  return {
    id: gathered.id,
    name: gathered.signatures.find(({ name }) => name !== "")?.name ?? "",
    email: first?.email ?? "",
    kind: gathered.isBot ? "bot" : "human",
  };
}

/**
 * Bots are never merged: many share a name. Persons who share evidence are chained to the first that
 * had it, so n of them give n − 1 merges.
 */
function findMerges(all: readonly Gathered[]): MergeEvidence[] {
  const firstWith = new Map<string, string>();
  const merges: MergeEvidence[] = [];
  for (const person of all.filter((candidate) => !candidate.isBot)) {
    for (const { evidence, reason } of evidenceOf(person)) {
      const known = firstWith.get(evidence);
      if (known === undefined) firstWith.set(evidence, person.id);
      else if (known !== person.id) merges.push({ personIds: [known, person.id], reason });
    }
  }
  return merges;
}

interface Evidence {
  readonly evidence: string;
  readonly reason: MergeEvidence["reason"];
}

function evidenceOf(person: Gathered): Evidence[] {
  return person.signatures.flatMap(({ name, email }): Evidence[] => {
    const normalised = normalName(name);
    if (normalised === "") return [];
    const login = githubLogin(normalMail(email)) ?? normalMail(email).split("@")[0] ?? "";
    if (isFullName(normalised))
      return [{ evidence: `name:${normalised}`, reason: "same-full-name" }];
    // A first name alone proves little, but with the same login at two hosts it does.
    if (login.length < LOGIN_MIN) return [];
    return [{ evidence: `login:${login} name:${normalised}`, reason: "same-login-and-name" }];
  });
}
