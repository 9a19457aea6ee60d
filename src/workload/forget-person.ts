/**
 * Forgets a person (a `repair` job, `forget_person`): who they are is taken out of all that is kept, and digests
 * stay so that reading the histories again does not bring them back. Totals and scores stay as they are.
 *
 * The order makes a kill at any point harmless: first the digests (from then on nobody writes the person anew), then
 * the texts, then the rows by which the person is known, and last the job's own payload. Whatever is done again
 * finds the rest.
 */
import { fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { HeldJob } from "../job/job.js";
import type { JobContext } from "../job/port.js";
import { appendAudit } from "../store/audit.js";
import type { Database, Sql } from "../store/database.js";
import {
  addTombstones,
  countTombstones,
  ensurePrivacyKey,
  FORGOTTEN_ID,
  FORGOTTEN_NAME,
  type NewTombstone,
  readTombstones,
} from "../store/forgotten.js";
import {
  countPersonRows,
  findPersonIds,
  foldPerson,
  readSignatures,
} from "../store/person-rows.js";
import { PERSON_TEXTS, type Scrubbing, scrubBatch, scrubJob } from "../store/person-texts.js";
import { forgottenOf, tombstoneDigest, tombstonesOf } from "./forgotten.js";
import type { ForgetPerson } from "./payloads.js";
import { normalMail } from "./person.js";
import {
  createPlainScrub,
  isOwnMail,
  type PlainPerson,
  patternOf,
  plainPersonOf,
} from "./plain-person.js";

interface ForgetDeps {
  readonly db: Database;
}

/** Who it is, with all that is known of them before the first row changes. */
interface Person extends PlainPerson {
  readonly tombstones: (key: string) => NewTombstone[];
}

/** Throws data faults `FORGET_MAIL_SHARED` and `IDENTITY_UNKNOWN`. */
export async function forgetPerson(
  { db }: ForgetDeps,
  payload: ForgetPerson,
  context: JobContext,
): Promise<JsonObject> {
  const asked = askedFor(payload);
  if (asked === null)
    return {
      request: payload.request,
      digests: await countTombstones(db, payload.request),
      ...DONE,
    };
  const person = await findPerson(db, asked);
  if (person.ids.length + asked.mails.length + asked.logins.length === 0)
    throw fault.data("IDENTITY_UNKNOWN", `there is no identity ${asked.ids.join(", ")}`, {
      hint: "who was merged or forgotten before has no row; correct the ids, or name mails and logins",
    });
  const { request } = payload;
  if (payload.dry_run === true) return { request, ...(await preview(db, person, context)) };
  return { request, ...(await forget(db, person, payload, asked, context)) };
}

/** Numbers alone: more names or mails than one person has say that it is not one person. */
function factsOf({ mails, names }: PlainPerson) {
  return { mails: mails.length, names: names.length };
}

/** Its own payload is what an earlier attempt took the person out of, last of all. */
const DONE = { done_before: true } as const;

type Asked = Pick<PlainPerson, "mails" | "logins" | "ids">;

/** Null: all that was asked for is done. */
function askedFor({ mails = [], logins = [], identity_ids = [] }: ForgetPerson): Asked | null {
  const open = (texts: readonly string[], done: string) => texts.filter((text) => text !== done);
  const asked = {
    mails: open(mails, FORGOTTEN_NAME).map(normalMail),
    logins: open(logins, FORGOTTEN_NAME).map((login) => login.replace(/^@/, "").toLowerCase()),
    ids: open(identity_ids, FORGOTTEN_ID),
  };
  const at = asked.mails.findIndex((mail) => !isOwnMail(mail));
  if (at >= 0)
    throw fault.data("FORGET_MAIL_SHARED", `/mails/${at} is no address of one person`, {
      hint: "machines and many people write such addresses: name the identities instead (identity_ids)",
    });
  return asked.mails.length + asked.logins.length + asked.ids.length === 0 ? null : asked;
}

/** Whoever shares an own mail, or was merged, is the same person; until nobody new is found. */
async function findPerson(sql: Sql, asked: Asked): Promise<Person> {
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
    const kept = [
      ...[...signatures, ...plain.mails.map((mail) => ({ name: "", mail }))].flatMap(tombstonesOf),
      ...asked.logins.map((text) => ({ kind: "login", text }) as const),
    ];
    const tombstones = (key: string) =>
      kept.map(({ kind, text }) => ({ kind, digest: tombstoneDigest(key, kind, text) }));
    return { ...plain, tombstones };
  }
}

/** Counts all that `forget` would change, and changes nothing. */
async function preview(db: Database, person: Person, context: JobContext): Promise<JsonObject> {
  const { key, digests } = await readTombstones(db);
  // Nobody was forgotten here yet: digests that are compared with each other alone need no secret.
  const under = key ?? "00";
  const added = person.tombstones(under).map(({ digest }) => digest);
  const scrubbing = scrubbingOf(under, [...digests, ...added], person);
  const texts = await scrubTexts(db, person, scrubbing, { context, dryRun: true });
  const counted = await countPersonRows(db, person.ids);
  return { dry_run: true, ...factsOf(person), identity_ids: [...person.ids], ...counted, texts };
}

async function forget(
  db: Database,
  found: Person,
  { request }: ForgetPerson,
  asked: Asked,
  context: JobContext,
): Promise<JsonObject> {
  const person = await bury(db, found, request, asked, context.job);
  const { key, digests } = await readTombstones(db);
  const scrubbing = scrubbingOf(key ?? "", digests, person);
  const texts = await scrubTexts(db, person, scrubbing, { context, dryRun: false });
  const counted = await db.transaction((tx) => foldPerson(tx, person.ids));
  await db.transaction((tx) => scrubJob(tx, context.job.seq, scrubbing));
  return { ...factsOf(person), digests: await countTombstones(db, request), ...counted, texts };
}

/** Leaves the digests, then looks again: whoever was writing meanwhile may have brought a further name or mail. */
async function bury(
  db: Database,
  found: Person,
  request: string,
  asked: Asked,
  job: HeldJob,
): Promise<Person> {
  for (let person = found; ; person = await findPerson(db, asked)) {
    const added = await db.transaction(async (tx) => {
      const tombstones = person.tombstones(await ensurePrivacyKey(tx));
      const count = await addTombstones(tx, tombstones, { request, jobSeq: job.seq });
      const details = { request, digests: tombstones.slice(0, 100).map(({ digest }) => digest) };
      const entry = { actor: "repair", action: "person.forgotten", target: job.id, details };
      if (count > 0) await appendAudit(tx, entry);
      return count;
    });
    if (added === 0) return person;
  }
}

function scrubbingOf(key: string, digests: readonly string[], person: PlainPerson): Scrubbing {
  const forgotten = forgottenOf(key, new Set(digests), createPlainScrub(person));
  return { json: (value) => forgotten.scrub(value), text: (text) => forgotten.scrub(text) };
}

/** Changed rows by table, without those that have none. */
async function scrubTexts(
  db: Database,
  person: PlainPerson,
  scrubbing: Scrubbing,
  { context, dryRun }: { readonly context: JobContext; readonly dryRun: boolean },
): Promise<JsonObject> {
  const pattern = patternOf(person);
  if (pattern === null) return {};
  const step = { pattern, exceptJob: context.job.seq, dryRun };
  const counts: JsonObject = {};
  for (const [at, place] of PERSON_TEXTS.entries()) {
    context.progress(at / PERSON_TEXTS.length, place.table);
    let count = 0;
    for (let after: number | null = 0; after !== null; ) {
      context.signal.throwIfAborted();
      const from: number = after;
      const batch = await db.transaction((tx) =>
        scrubBatch(tx, place, { ...step, after: from }, scrubbing),
      );
      count += batch.changed;
      after = batch.reached;
    }
    if (count > 0) counts[place.table] = count;
  }
  return counts;
}
