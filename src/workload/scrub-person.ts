/**
 * Takes people out of a foreign document (a webhook's body, a job's result): objects that describe them, and their
 * addresses, logins and names in texts. Pure; who is meant, the caller knows.
 */
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import { FORGOTTEN_NAME } from "../store/forgotten.js";

export interface KnownPeople {
  isMail(mail: string): boolean;
  isLogin(login: string): boolean;
  /** Of a full name. */
  isName(name: string): boolean;
  /** What else is known of them in plain text. */
  readonly further?: (text: string) => string;
}

/** What of an object that describes a forgotten person says nothing about who it was. */
const KEPT_OF_A_PERSON: readonly string[] = ["type", "site_admin", "user_view_type", "date"];

const MAIL = /[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*/gu;
/** `Ada Lovelace <ada@example.org>`, as in the trailers of a commit. */
const SIGNED = /([^\n<>:]*?)[ \t]*<([^<>\s]+@[^<>\s]+)>/g;
const LOGIN = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:\\[bot\\])?";
/**
 * Where a login stands in GitHub's texts: `@ada`, `https://github.com/ada/…`, `/users/ada`, `/repos/ada/…`,
 * `git@github.com:ada/…`, `from ada/branch`.
 */
const IN_TEXT = new RegExp(
  `((?<![\\p{L}\\p{N}.])@|://[^\\s/]+/(?:api/v3/)?(?:users/|repos/|orgs/)?|\\bgit@[^\\s:/]+:|\\bfrom )(${LOGIN})(?![A-Za-z0-9-])`,
  "gu",
);

/** The value itself when nothing in it is theirs. */
export function scrubJson<T extends Json>(json: T, people: KnownPeople): T {
  return scrub(json, people) as T;
}

function scrub(json: Json, people: KnownPeople, key = ""): Json {
  if (typeof json === "string") return scrubString(json, key, people);
  if (Array.isArray(json)) {
    const items = json.map((item) => scrub(item, people, key));
    return items.every((item, at) => item === json[at]) ? json : items;
  }
  if (!isJsonObject(json)) return json;
  return isPerson(json, people) ? withoutPerson(json) : scrubObject(json, people);
}

function scrubObject(json: JsonObject, people: KnownPeople): JsonObject {
  let changed = false;
  const entries = Object.entries(json).map(([key, value]) => {
    const scrubbed = scrub(value, people, key);
    const newKey = scrubText(key, people);
    changed ||= scrubbed !== value || newKey !== key;
    return [newKey, scrubbed] as const;
  });
  return changed ? Object.fromEntries(entries) : json;
}

/** An account, or who wrote a commit. */
function isPerson(json: JsonObject, people: KnownPeople): boolean {
  const { login, username, email } = json;
  return (
    (typeof login === "string" && people.isLogin(login)) ||
    (typeof username === "string" && people.isLogin(username)) ||
    (typeof email === "string" && people.isMail(email))
  );
}

function withoutPerson(json: JsonObject): JsonObject {
  const kept = Object.entries(json).filter(([key]) => KEPT_OF_A_PERSON.includes(key));
  const named = ["login", "username", "name", "email"].filter((key) => key in json);
  return Object.fromEntries([...named.map((key) => [key, FORGOTTEN_NAME] as const), ...kept]);
}

/** Keys under which a login stands alone, or before a slash or a colon. */
const LOGIN_KEYS: readonly string[] = [
  ...["login", "logins", "username", "user", "assignee", "owner"],
  ...["full_name", "label"],
];

function scrubString(text: string, key: string, people: KnownPeople): string {
  if (LOGIN_KEYS.includes(key)) {
    const login = /^[^/:]*/.exec(text)?.[0] ?? "";
    if (login !== "" && people.isLogin(login)) return FORGOTTEN_NAME + text.slice(login.length);
  }
  return people.isName(text) ? FORGOTTEN_NAME : scrubText(text, people);
}

/** Names without an address beside them stay: whose they are, only the address says. */
export function scrubText(text: string, people: KnownPeople): string {
  const rest = text
    .replace(SIGNED, (all, name: string, mail: string) =>
      people.isMail(mail) ? `${/^\s*/.exec(name)?.[0] ?? ""}${FORGOTTEN_NAME}` : all,
    )
    .replace(MAIL, (mail) => withoutMail(mail, people))
    .replace(IN_TEXT, (all, before: string, login: string) =>
      people.isLogin(login) ? before + FORGOTTEN_NAME : all,
    );
  return people.further?.(rest) ?? rest;
}

/** Characters that may belong to a mail (RFC 5322), and as often stand before one: `author=ada@example.org`. */
const MAY_STAND_BEFORE = /[!#$%&'*/=?^`{|}~]/;

function withoutMail(found: string, people: KnownPeople): string {
  for (let from = 0; ; ) {
    if (people.isMail(found.slice(from))) return found.slice(0, from) + FORGOTTEN_NAME;
    const next = found.slice(from).search(MAY_STAND_BEFORE);
    if (next < 0) return found;
    from += next + 1;
  }
}
