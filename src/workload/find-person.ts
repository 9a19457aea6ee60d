/** Who is meant by a request to forget somebody: all rows, mails, accounts and names that are one person. */
import { fault } from "../base/fault.js";
import type { JobContext } from "../job/port.js";
import type { Database, Sql } from "../store/database.js";
import { FORGOTTEN_ID, FORGOTTEN_NAME, type NewTombstone } from "../store/forgotten.js";
import { findPersonIds, readSignatures } from "../store/person-rows.js";
import { PERSON_TEXTS, type Scrubbing } from "../store/person-texts.js";
import { type Signature, tombstoneDigest, tombstonesOf } from "./forgotten.js";
import type { ForgetPerson } from "./payloads.js";
import { normalMail, normalName } from "./person.js";
import {
  isOwnMail,
  type PlainPerson,
  patternsOf,
  plainPersonOf,
  WRITTEN_MAX,
} from "./plain-person.js";
import { loginsBeside } from "./scrub-person.js";
import { walkTexts } from "./walk-texts.js";

/** With all that is known of them before the first row changes. */
export interface Person extends PlainPerson {
  /** Whether they have a row. */
  readonly isKnown: boolean;
  /** What they leave behind under a key of this database. */
  readonly tombstones: (key: string) => NewTombstone[];
}

/** What a request names them by. */
export type Asked = Pick<PlainPerson, "mails" | "logins" | "ids">;

/** In lower case. */
const LOGIN = /^[a-z0-9][a-z0-9_-]{0,99}(?:\[bot\])?$/;

/** Null: all that was asked for is done. Throws data faults `FORGET_LOGIN_INVALID` and `FORGET_MAIL_SHARED`. */
export function askedFor({
  mails = [],
  logins = [],
  identity_ids = [],
}: ForgetPerson): Asked | null {
  const open = (texts: readonly string[], done: string) => texts.filter((text) => text !== done);
  const asked = {
    mails: open(mails, FORGOTTEN_NAME).map(normalMail),
    logins: open(logins, FORGOTTEN_NAME).map((login) => login.replace(/^@/, "").toLowerCase()),
    ids: open(identity_ids, FORGOTTEN_ID),
  };
  const wrong = asked.logins.findIndex((login) => !LOGIN.test(login));
  if (wrong >= 0)
    throw fault.data("FORGET_LOGIN_INVALID", `/logins/${wrong} is no login of GitHub`, {
      hint: "letters, digits and hyphens, such as ada-l; an address belongs into mails",
    });
  const at = asked.mails.findIndex((mail) => !isOwnMail(mail));
  if (at >= 0)
    throw fault.data("FORGET_MAIL_SHARED", `/mails/${at} is no address of one person`, {
      hint: "machines and many people write such addresses: name the identities instead (identity_ids)",
    });
  return asked.mails.length + asked.logins.length + asked.ids.length === 0 ? null : asked;
}

/** By their rows, and by the accounts that GitHub names beside their mails; until nothing new is found. */
export async function findPerson(db: Database, asked: Asked, context: JobContext): Promise<Person> {
  for (let known = asked; ; ) {
    const person = await findByRows(db, known);
    const logins = await findLogins(db, person, context);
    const fresh = [...new Set(logins)].filter((login) => !person.logins.includes(login));
    if (fresh.length === 0) return person;
    known = { ...known, logins: [...person.logins, ...fresh] };
  }
}

/** Whoever shares an own mail, or was merged, is the same person. */
export async function findByRows(sql: Sql, asked: Asked): Promise<Person> {
  const noReply = asked.logins.map((login) => `${login}@users.noreply.github.com`);
  const known = { ...asked, mails: [...asked.mails, ...noReply] };
  for (let ids: readonly string[] = []; ; ) {
    const signatures = await readSignatures(sql, ids);
    const plain = plainPersonOf(signatures, { ...known, ids });
    const found = await findPersonIds(sql, { ids: [...asked.ids, ...ids], mails: plain.mails });
    if (found.length > ids.length) {
      ids = found;
      continue;
    }
    const tombstones = tombstonesFor(plain, signatures);
    // Whatever was asked for is looked for in texts, also when its row is gone.
    return {
      ...plain,
      ids: [...new Set([...ids, ...asked.ids])],
      isKnown: ids.length > 0,
      tombstones,
    };
  }
}

/** Of all mails, and of as many names as one person may have: they are read with every event. */
function tombstonesFor({ mails, logins, names }: PlainPerson, signatures: readonly Signature[]) {
  const all = [...signatures, ...mails.map((mail) => ({ name: "", mail }))].flatMap(tombstonesOf);
  const kept = [
    ...all.filter(({ kind }) => kind !== "name"),
    ...names
      .slice(0, WRITTEN_MAX)
      .map((name) => ({ kind: "name", text: normalName(name) }) as const),
    ...logins.map((text) => ({ kind: "login", text }) as const),
  ];
  return (key: string): NewTombstone[] =>
    kept.map(({ kind, text }) => ({ kind, digest: tombstoneDigest(key, kind, text) }));
}

/** Accounts that GitHub named in a push beside a mail of theirs: it knows whose commits they are. */
async function findLogins(db: Database, person: Person, context: JobContext): Promise<string[]> {
  const patterns = patternsOf({ ...person, logins: [], names: [], ids: [] });
  const pushes = PERSON_TEXTS.filter(({ table }) => table === "public.events").map((events) => ({
    ...events,
    only: "event_type = 'push'",
  }));
  if (patterns.length === 0) return [];
  const logins: string[] = [];
  const reading: Scrubbing = {
    json: (value) => {
      logins.push(...loginsBeside(value, (mail) => person.mails.includes(normalMail(mail))));
      return value;
    },
    text: (text) => text,
  };
  await walkTexts(db, pushes, reading, { patterns, context, dryRun: true });
  return logins;
}
