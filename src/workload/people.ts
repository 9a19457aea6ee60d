/**
 * From signatures to people: which signatures are one person at once (the same mail), and what speaks for two
 * persons being one by what this repository says of them. Pure, and the same for any order of the input.
 */
import { FORGOTTEN_ID } from "../store/forgotten.js";
import type { Author } from "./authors.js";
import { type Bond, type Facts, factsOf, findBonds } from "./evidence.js";
import { isFolded } from "./forgotten.js";
import { isBot, personKey } from "./person.js";

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

export interface People {
  readonly persons: readonly Person[];
  readonly claims: readonly PersonClaim[];
  readonly bonds: readonly Bond[];
  /** Of each person who may be one with another: no bots, and nobody who is forgotten. */
  readonly facts: readonly Facts[];
}

interface Gathered {
  readonly id: string;
  readonly signatures: Author[];
  isBot: boolean;
}

/** `logins`: GitHub's account of a mail, both in normal form, as far as its pushes told. */
export function gatherPeople(
  authors: readonly Author[],
  logins: ReadonlyMap<string, string> = new Map(),
): People {
  const gathered = new Map<string, Gathered>();
  const claims = [...authors].sort(byWeight).map((author): PersonClaim => {
    const { id, reason } = keyOf(author);
    const person = gathered.get(id) ?? { id, signatures: [], isBot: false };
    gathered.set(id, person);
    person.signatures.push(author);
    person.isBot ||= isBot(author.name, author.email);
    return { ...author, personId: id, reason };
  });
  const all = [...gathered.values()].sort((a, b) => compareText(a.id, b.id));
  const facts = all
    .filter((person) => !person.isBot && person.id !== FORGOTTEN_ID)
    .map(({ id, signatures }) => factsOf(id, signatures, logins));
  return { persons: all.map(toPerson), claims, bonds: findBonds(facts), facts };
}

function keyOf(author: Author): { id: string; reason: string } {
  return isFolded(author)
    ? { id: FORGOTTEN_ID, reason: "forgotten" }
    : personKey(author.name, author.email);
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
