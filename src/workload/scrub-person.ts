/**
 * Takes people out of a foreign document (a webhook's body, a job's result): objects that describe them, and their
 * addresses, logins and names in texts. Pure, and linear in the length of the texts; who is meant, the caller knows.
 */
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import { replaceMails } from "../base/mail-text.js";
import { FORGOTTEN_ID, FORGOTTEN_NAME } from "../store/forgotten.js";

export interface KnownPeople {
  isMail(mail: string): boolean;
  isLogin(login: string): boolean;
  /** Of a full name. */
  isName(name: string): boolean;
  /** What else is known of them in plain text. */
  readonly further?: (text: string) => string;
}

/** The value itself when nothing in it is theirs. */
export function scrubJson<T extends Json>(json: T, people: KnownPeople): T {
  return scrub(json, people, "") as T;
}

function scrub(json: Json, people: KnownPeople, key: string): Json {
  if (typeof json === "string") return scrubString(json, key, people);
  if (Array.isArray(json)) {
    const items = json.map((item) => scrub(item, people, key));
    return items.every((item, at) => item === json[at]) ? json : withoutRepeats(items);
  }
  if (!isJsonObject(json)) return json;
  return isPerson(json, people) ? withoutPerson(json) : scrubObject(json, people);
}

/** A list that may name nobody twice, such as the mails of a request, must stay such a list. */
function withoutRepeats(items: readonly Json[]): Json[] {
  const isGone = (item: Json) => item === FORGOTTEN_NAME || item === FORGOTTEN_ID;
  return items.filter((item, at) => !isGone(item) || items.indexOf(item) === at);
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
function isPerson({ login, username, email }: JsonObject, people: KnownPeople): boolean {
  return (
    (typeof login === "string" && people.isLogin(login)) ||
    (typeof username === "string" && people.isLogin(username)) ||
    (typeof email === "string" && people.isMail(email))
  );
}

/** Logins that GitHub names beside a mail that is theirs, as of who wrote a commit; in lower case. */
export function loginsBeside(json: Json, isMail: (mail: string) => boolean): string[] {
  if (Array.isArray(json)) return json.flatMap((item) => loginsBeside(item, isMail));
  if (!isJsonObject(json)) return [];
  const { email, login, username } = json;
  const inner = Object.values(json).flatMap((value) => loginsBeside(value, isMail));
  if (typeof email !== "string" || !isMail(email)) return inner;
  const own = [login, username].filter((name) => typeof name === "string" && name !== "");
  return [...own.map((name) => String(name).toLowerCase()), ...inner];
}

/** What of an object that describes a person says nothing about who it was. Not the account's number: that is a name, too. */
const KEPT_OF_A_PERSON: readonly string[] = ["type", "site_admin", "user_view_type", "date"];
const NAMED: readonly string[] = ["login", "username", "name", "email"];

function withoutPerson(json: JsonObject): JsonObject {
  const named = NAMED.filter((key) => key in json).map((key) => [key, FORGOTTEN_NAME] as const);
  const kept = Object.entries(json).filter(([key]) => KEPT_OF_A_PERSON.includes(key));
  return Object.fromEntries([...named, ...kept]);
}

/** Keys under which a login stands alone, or before a colon: of an account, a branch, a list of people. */
const LOGIN_KEY = /^(?:logins?|username|user|assignee|owner|label|.*_names)$/;
/** Keys under which the part before a slash is a folder. */
const PATH_KEY = /^(?:added|removed|modified|path|file|filename|files)$/;

function scrubString(text: string, key: string, people: KnownPeople): string {
  const [login = ""] = /^[^/:\s]*/.exec(text) ?? [];
  const rest = text.slice(login.length);
  const isMeant = rest.startsWith("/") ? !PATH_KEY.test(key) : LOGIN_KEY.test(key);
  if (login !== "" && isMeant && people.isLogin(login)) return FORGOTTEN_NAME + rest;
  return people.isName(text) ? FORGOTTEN_NAME : scrubText(text, people);
}

const LOGIN = "[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\\[bot\\])?";
/**
 * What stands before a login in GitHub's texts: `@ada`, `https://github.com/ada/…`, `/users/ada`, `/repos/ada/…`,
 * `git@github.com:ada/…`, `from ada/branch`, `ghcr.io/ada/…`.
 */
const BEFORE_LOGIN = [
  "(?<![\\p{L}\\p{N}.])@",
  "://[^\\s/]{1,255}/(?:api/v3/)?(?:(?:users|repos|orgs)/)?",
  "/(?:users|repos|memberships|members|collaborators|assignees)/",
  "\\b[\\w-]{1,64}@[^\\s:/@]{1,255}:",
  "\\b(?:from |ghcr\\.io/|repositories/)",
].join("|");
const LOGIN_IN_TEXT = new RegExp(`(${BEFORE_LOGIN})(${LOGIN})(?![A-Za-z0-9_-])`, "gu");

/** A name with no address beside it stays unless it is known in plain text: whose it is, only the address says. */
export function scrubText(text: string, people: KnownPeople): string {
  const unsigned = replaceMails(withoutSigned(text, people), (local, domain) =>
    withoutMail(local, domain, people),
  );
  const unlinked = unsigned.replace(LOGIN_IN_TEXT, (all, before: string, login: string) => {
    // No login ends on an underscore: there it is Markdown's.
    const [, bare = "", rest = ""] = /^(.*?)(_*)$/.exec(login) ?? [];
    return people.isLogin(bare) ? before + FORGOTTEN_NAME + rest : all;
  });
  return people.further?.(unlinked) ?? unlinked;
}

/** The trailers of a commit: `Ada Lovelace <ada@example.org>`. */
const ADDRESS = /<([^<>\s@]{1,256}@[^<>\s@]{1,256})>/g;
/** With the blanks around it. */
const NAME_BEFORE = /([ \t]?)[^\n<>:,;"]{0,200}$/;

function withoutSigned(text: string, people: KnownPeople): string {
  let result = "";
  let done = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const [all, mail = ""] = found;
    if (!people.isMail(mail)) continue;
    result += text.slice(done, found.index).replace(NAME_BEFORE, `$1${FORGOTTEN_NAME}`);
    done = found.index + all.length;
  }
  return done === 0 ? text : result + text.slice(done);
}

/** Characters that may belong to an address, and as often stand before one: `author=ada@example.org`. */
const MAY_STAND_BEFORE = /[!#$%&'*/=?^`{|}~]/g;
/** More of them before one address is no text that people or GitHub write. */
const TRIES_MAX = 20;

function withoutMail(local: string, domain: string, people: KnownPeople): string {
  const starts = [...local.matchAll(MAY_STAND_BEFORE)].map(({ index }) => index + 1);
  const from = [0, ...starts.slice(-TRIES_MAX)].find((start) =>
    people.isMail(`${local.slice(start)}@${domain}`),
  );
  return from === undefined ? `${local}@${domain}` : local.slice(0, from) + FORGOTTEN_NAME;
}
