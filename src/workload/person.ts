/**
 * What a name and a mail say about a person: which of them are evidence, and which are bots. Pure.
 * A claim to be somebody is what a commit says; nobody signs it, so evidence is only ever good enough.
 */
import { digestId } from "./remote.js";

/** The name of a person by the best evidence that one signature gives. */
export interface PersonKey {
  /** Equal keys are one person. */
  readonly key: string;
  /** Id of the row in `identities` for this key. */
  readonly id: string;
  /** `same-mail`, or `same-mail-and-name` when the mail alone proves nothing. */
  readonly reason: "same-mail" | "same-mail-and-name";
}

/** Column widths of evidence: an index row in Postgres holds at most about 2,700 bytes. */
const NAME_MAX = 200;
const MAIL_MAX = 320;

/** Enterprises that manage their accounts add `_shortcode` to each login. */
const NOREPLY =
  /^(?:\d+\+)?([a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\[bot\])?)@users\.noreply\.github\.com$/;
/** Mails that a machine made up: many people share `root@localhost`. */
const MADE_UP =
  /(?:^[^@]*$|@$|@[^.]+$|@localhost|\.(?:local|localdomain|lan|internal|\(none\))$|^(?:none|no-?reply|unknown|root|you|your|email|user)@)/;
const BOT_NAME =
  /(?:\[bot\]$|(?:^|[\s_-])bot$|^(?:dependabot|renovate|greenkeeper|github-actions|github actions|snyk|mergify|allcontributors|pre-commit-ci|imgbot|codecov)\b)/;
const BOT_MAIL =
  /(?:\[bot\]@|^(?:bot|ci|noreply|renovate|dependabot|action|actions)@(?:github\.com|renovateapp\.com|whitesourcesoftware\.com|dependabot\.com)$|[-+.]bot@)/;

/** As Postgres and people can take it: one line, no control characters, bounded. */
export function tidyName(name: string): string {
  return clip(name.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim(), NAME_MAX);
}

export function tidyMail(mail: string): string {
  return clip(mail.replace(/[\p{Cc}\p{Cf}\s]+/gu, ""), MAIL_MAX);
}

function clip(text: string, max: number): string {
  return text.length <= max ? text : [...text].slice(0, max).join("");
}

/** Lower case; all of GitHub's no-reply forms of one login are one mail. */
export function normalMail(mail: string): string {
  const lower = tidyMail(mail).toLowerCase();
  const login = githubLogin(lower);
  return login === null ? lower : `${login}@users.noreply.github.com`;
}

/** The login in a GitHub no-reply mail; null for any other. */
export function githubLogin(mail: string): string | null {
  return NOREPLY.exec(mail.toLowerCase())?.[1] ?? null;
}

/** Where anybody may have a mail: the domain says nothing about who it is. */
const FREE_MAIL =
  /^(?:gmail|googlemail|outlook|hotmail|live|msn|yahoo|ymail|icloud|me|mac|aol|gmx|web|mail|proton|protonmail|pm|tutanota|tuta|fastmail|hey|zoho|yandex|qq|163|126|foxmail|sina|naver|t-online|freenet|orange|free|laposte|libero|users\.noreply\.github|users\.noreply\.gitlab)(?:\.[a-z]{2,4}){1,2}$/;

/** The domain of a normal mail when it is an organisation's own; null where anybody may have a mail, or a machine made it up. */
export function companyDomain(mail: string): string | null {
  const domain = mail.slice(mail.lastIndexOf("@") + 1);
  return MADE_UP.test(mail) || FREE_MAIL.test(domain) ? null : domain;
}

/** Case, accents' encoding and spaces do not make another name. */
export function normalName(name: string): string {
  return tidyName(name.normalize("NFKC")).toLowerCase();
}

/** Two words of letters at least: "ada" is many people, "Ada Lovelace" in one repository is one. */
export function isFullName(normalisedName: string): boolean {
  const words = normalisedName.split(" ").filter((word) => /^\p{L}[\p{L}.'’-]*$/u.test(word));
  const isPlaceholder =
    /^(?:your name|unknown author|no author|first last|john doe|jane doe|test user)$/;
  return words.length >= 2 && normalisedName.length >= 6 && !isPlaceholder.test(normalisedName);
}

export function isBot(name: string, mail: string): boolean {
  return BOT_NAME.test(normalName(name)) || BOT_MAIL.test(tidyMail(mail).toLowerCase());
}

export function personKey(name: string, mail: string): PersonKey {
  const normal = normalMail(mail);
  const isEvidence = githubLogin(normal) !== null || !MADE_UP.test(normal);
  const key = isEvidence ? `mail:${normal}` : `mail:${normal} name:${normalName(name)}`;
  return {
    key,
    id: digestId("person", key),
    reason: isEvidence ? "same-mail" : "same-mail-and-name",
  };
}
