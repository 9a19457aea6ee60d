/**
 * People who asked to be forgotten, as far as we may still know them: by digests of their mails and logins. Whatever
 * is read of histories and events is held against these before it is stored, so that nothing comes back.
 */
import { createHmac } from "node:crypto";
import type { Json } from "../base/json.js";
import type { Sql } from "../store/database.js";
import { FORGOTTEN_NAME, readTombstones, type TombstoneKind } from "../store/forgotten.js";
import type { Author } from "./authors.js";
import { githubLogin, isFullName, normalMail, normalName, personKey } from "./person.js";
import { type KnownPeople, loginsBeside, scrubJson } from "./scrub-person.js";

export interface Signature {
  readonly name: string;
  readonly mail: string;
}

export interface Forgotten {
  /** Digests that are known; 0: nobody was forgotten, and every question is cheap. */
  readonly count: number;
  /** By the mail, the login in GitHub's no-reply mail, or mail and name where many share the mail. Never by a name alone. */
  isForgotten(signature: Signature): boolean;
  /** The same value, with `(forgotten)` where it names a forgotten person. Nothing to do: the value itself. */
  scrub<T extends Json>(json: T): T;
}

/**
 * Call it in the transaction that stores what was read: from here to its end nobody else is forgotten, so nothing
 * slips in between the question and the write.
 */
export async function loadForgotten(sql: Sql): Promise<Forgotten> {
  const { key, digests } = await readTombstones(sql);
  return key === null ? NOBODY : forgottenOf(key, new Set(digests));
}

const NOBODY: Forgotten = { count: 0, isForgotten: () => false, scrub: (json) => json };

/** What is asked twice is digested once; bounded, for a history may hold 200,000 signatures. */
const REMEMBERED_MAX = 50_000;

/** `further` takes out of a text what is known of them in plain text. */
export function forgottenOf(
  key: string,
  digests: ReadonlySet<string>,
  further?: (text: string) => string,
): Forgotten {
  if (digests.size === 0) return NOBODY;
  const remembered = new Map<string, boolean>();
  const holds = (kind: TombstoneKind, text: string): boolean => {
    const asked = `${kind}:${text}`;
    let answer = remembered.get(asked);
    if (answer === undefined) {
      answer = digests.has(tombstoneDigest(key, kind, text));
      if (remembered.size < REMEMBERED_MAX) remembered.set(asked, answer);
    }
    return answer;
  };
  const isMail = (mail: string): boolean => {
    const normal = normalMail(mail);
    const login = githubLogin(normal);
    return holds("mail", normal) || (login !== null && holds("login", login));
  };
  const people: KnownPeople = {
    isMail,
    isLogin: (login) => holds("login", login.toLowerCase()),
    isName: (name) => holds("name", normalName(name)),
    ...(further ? { further } : {}),
  };
  return {
    count: digests.size,
    isForgotten: ({ name, mail }) =>
      isMail(mail) || holds("mail+name", sharedMailKey({ name, mail })),
    scrub: (json) => scrubJson(json, withLoginsIn(json, people)),
  };
}

/** Whose mail it names, the document may name elsewhere by the login alone. */
function withLoginsIn(json: Json, people: KnownPeople): KnownPeople {
  const logins = new Set(loginsBeside(json, people.isMail));
  if (logins.size === 0) return people;
  const isLogin = (login: string) => logins.has(login.toLowerCase()) || people.isLogin(login);
  return { ...people, isLogin };
}

/** In hex. The same text under another database's key is another digest. */
export function tombstoneDigest(key: string, kind: TombstoneKind, text: string): string {
  return createHmac("sha256", Buffer.from(key, "hex")).update(`${kind}:${text}`).digest("hex");
}

/** Of a signature whose mail alone says nothing. */
function sharedMailKey({ name, mail }: Signature): string {
  return `${normalMail(mail)} ${normalName(name)}`;
}

/** What a signature leaves behind: enough to know it again. */
export function tombstonesOf(signature: Signature): { kind: TombstoneKind; text: string }[] {
  const normal = normalMail(signature.mail);
  const name = normalName(signature.name);
  const named = isFullName(name) ? [{ kind: "name", text: name } as const] : [];
  if (personKey(signature.name, signature.mail).reason === "same-mail-and-name")
    return [{ kind: "mail+name", text: sharedMailKey(signature) }, ...named];
  const login = githubLogin(normal);
  const logged = login === null ? [] : [{ kind: "login", text: login } as const];
  return [{ kind: "mail", text: normal }, ...logged, ...named];
}

/** One line a kind of claim for all forgotten people, so that the totals of a history stay. */
export function foldForgotten(authors: readonly Author[], forgotten: Forgotten): Author[] {
  if (forgotten.count === 0) return [...authors];
  const kept: Author[] = [];
  const folded = new Map<Author["kind"], Author>();
  for (const author of authors) {
    if (!isFolded(author) && !forgotten.isForgotten({ name: author.name, mail: author.email })) {
      kept.push(author);
      continue;
    }
    const before = folded.get(author.kind);
    folded.set(author.kind, before === undefined ? unnamed(author) : addedTo(before, author));
  }
  return [...kept, ...folded.values()];
}

/** Whether it is such a line already, as read back from the claims. */
export function isFolded({ name, email }: Pick<Author, "name" | "email">): boolean {
  return name === FORGOTTEN_NAME && email === "";
}

function unnamed(author: Author): Author {
  return { ...author, name: FORGOTTEN_NAME, email: "" };
}

function addedTo(sum: Author, author: Author): Author {
  const { firstSeenAt, lastSeenAt } = author;
  return {
    ...sum,
    commitCount: sum.commitCount + author.commitCount,
    firstSeenAt: firstSeenAt < sum.firstSeenAt ? firstSeenAt : sum.firstSeenAt,
    lastSeenAt: lastSeenAt > sum.lastSeenAt ? lastSeenAt : sum.lastSeenAt,
  };
}
