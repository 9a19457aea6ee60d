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
import type { Database } from "../store/database.js";
import {
  addTombstones,
  countTombstones,
  ensurePrivacyKey,
  hasTombstones,
  readTombstones,
} from "../store/forgotten.js";
import { countPersonRows, foldPerson } from "../store/person-rows.js";
import { PERSON_TEXTS, type Scrubbing, scrubJob } from "../store/person-texts.js";
import { askedFor, findByRows, findPerson, type Person } from "./find-person.js";
import { forgottenOf } from "./forgotten.js";
import type { ForgetPerson } from "./payloads.js";
import { createPlainScrub, type PlainPerson, patternsOf } from "./plain-person.js";
import { walkTexts } from "./walk-texts.js";

interface ForgetDeps {
  readonly db: Database;
}

/** Throws data faults `FORGET_LOGIN_INVALID`, `FORGET_MAIL_SHARED` and `PERSON_UNKNOWN`. */
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
  const person = await findPerson(db, asked, context);
  const isNamed = asked.mails.length + asked.logins.length > 0;
  // Without rows, but with digests of this job: an earlier attempt came that far.
  if (!person.isKnown && !isNamed && !(await hasTombstones(db, context.job.seq)))
    throw fault.data("PERSON_UNKNOWN", `there is no identity ${asked.ids.join(", ")}`, {
      hint: "who was merged or forgotten before has no row; correct the ids, or name mails and logins",
    });
  const { request } = payload;
  if (payload.dry_run === true) return { request, ...(await preview(db, person, context)) };
  return { request, ...(await forget(db, person, payload, context)) };
}

/** Numbers alone: more names or mails than one person has say that it is not one person. */
function factsOf({ mails, logins, names }: PlainPerson) {
  return { mails: mails.length, logins: logins.length, names: names.length };
}

/** Its own payload is what an earlier attempt took the person out of, last of all. */
const DONE = { done_before: true } as const;

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
  context: JobContext,
): Promise<JsonObject> {
  const person = await bury(db, found, request, context.job);
  const { key, digests } = await readTombstones(db);
  const scrubbing = scrubbingOf(key ?? "", digests, person);
  const texts = await scrubTexts(db, person, scrubbing, { context, dryRun: false });
  const counted = await db.transaction((tx) => foldPerson(tx, person.ids));
  await db.transaction((tx) => scrubJob(tx, context.job.seq, scrubbing));
  return { ...factsOf(person), digests: await countTombstones(db, request), ...counted, texts };
}

/** Leaves the digests, then looks again: whoever was writing meanwhile may have brought a further name or mail. */
async function bury(db: Database, found: Person, request: string, job: HeldJob): Promise<Person> {
  for (let person = found; ; person = await findByRows(db, person)) {
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
  how: { readonly context: JobContext; readonly dryRun: boolean },
): Promise<JsonObject> {
  const patterns = patternsOf(person);
  return walkTexts(db, PERSON_TEXTS, scrubbing, { ...how, patterns });
}
