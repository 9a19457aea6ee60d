/**
 * A person in plain text, for as long as a request to forget them is carried out: what to look for in texts that say
 * no more than a name. Pure.
 */
import { FORGOTTEN_ID, FORGOTTEN_NAME } from "../store/forgotten.js";
import type { Signature } from "./forgotten.js";
import { githubLogin, isFullName, normalMail, normalName, personKey } from "./person.js";

export interface PlainPerson {
  /** Lower case; none that many people share. */
  readonly mails: readonly string[];
  readonly logins: readonly string[];
  /** Full names, as written. A first name alone is many people's. */
  readonly names: readonly string[];
  /** Of their rows in `identities`: digests of their mails. */
  readonly ids: readonly string[];
}

export function plainPersonOf(
  signatures: readonly Signature[],
  asked: Pick<PlainPerson, "mails" | "logins" | "ids">,
): PlainPerson {
  const own = signatures.filter(({ name, mail }) => isOwnMail(mail, name));
  const mails = [...asked.mails, ...own.map(({ mail }) => mail)].map(normalMail);
  const logins = mails.map(githubLogin).filter((login) => login !== null);
  const names = signatures.map(({ name }) => name).filter((name) => isFullName(normalName(name)));
  return {
    mails: [...new Set(mails)],
    logins: [...new Set([...asked.logins, ...logins])],
    names: [...new Set(names)],
    ids: asked.ids,
  };
}

/** Whether the mail alone says who it is. */
export function isOwnMail(mail: string, name = ""): boolean {
  return personKey(name, mail).reason === "same-mail";
}

/** More than one person has: a hostile history names one mail with names without end. The first are the most used. */
export const WRITTEN_MAX = 500;
/** A pattern of the server with some thousands of words is too complex for it. */
const WORDS_A_PATTERN = 100;

/**
 * Regular expressions (POSIX): each text that names them matches one of them, upper and lower case alike; as a jsonb
 * column shows its text, too.
 */
export function patternsOf(person: PlainPerson): string[] {
  const { logins, ids } = person;
  const plain = [...writtenOf(person), ...logins, ...ids];
  const shown = plain.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  const parts = [...new Set(shown)].filter((text) => text !== "").map(escapePattern);
  const count = Math.ceil(parts.length / WORDS_A_PATTERN);
  return Array.from({ length: count }, (_, at) =>
    parts.slice(at * WORDS_A_PATTERN, (at + 1) * WORDS_A_PATTERN).join("|"),
  );
}

/** Addresses, also as links write them, and names. */
function writtenOf({ mails, names }: PlainPerson): string[] {
  const some = mails.slice(0, WRITTEN_MAX);
  return [...some, ...some.map(encodeURIComponent), ...names.slice(0, WRITTEN_MAX)];
}

/** Replaces addresses, full names and ids wherever they stand as words of their own. */
export function createPlainScrub(person: PlainPerson): (text: string) => string {
  const named = wordsOf(writtenOf(person));
  const keyed = wordsOf(person.ids);
  return (text) => {
    const unnamed = named === null ? text : text.replace(named, FORGOTTEN_NAME);
    return keyed === null ? unnamed : unnamed.replace(keyed, FORGOTTEN_ID);
  };
}

/** Longest first: of two names one may begin with the other. */
function wordsOf(texts: readonly string[]): RegExp | null {
  const words = [...new Set(texts)].sort((a, b) => b.length - a.length).map(escapeWord);
  if (words.length === 0) return null;
  return new RegExp(`(?<![\\p{L}\\p{N}._+-])(?:${words.join("|")})(?![\\p{L}\\p{N}_-])`, "giu");
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** What the `u` flag lets be escaped, and no more. */
function escapeWord(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/\s+/g, "\\s+");
}
