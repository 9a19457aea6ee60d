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

/**
 * A regular expression (POSIX) that each text which names them matches, upper and lower case alike; as a jsonb column
 * shows its text, too. Null: nothing to look for.
 */
export function patternOf({ mails, logins, names, ids }: PlainPerson): string | null {
  const plain = [...mails, ...mails.map(encodeURIComponent), ...logins, ...names, ...ids];
  const shown = plain.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  const parts = [...new Set(shown)].filter((text) => text !== "").map(escapePattern);
  return parts.length === 0 ? null : parts.join("|");
}

/** Replaces addresses, full names and ids wherever they stand as words of their own. */
export function createPlainScrub({ mails, names, ids }: PlainPerson): (text: string) => string {
  const written = [...mails, ...mails.map(encodeURIComponent), ...names];
  const named = wordsOf(written);
  const keyed = wordsOf(ids);
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
