/**
 * Takes over what waits in the folder of the journal, oldest file first. Any process may, and several at once: a file
 * is renamed before it is read, so that its writer turns to a new one; each entry goes in by a transaction of its own
 * that finds its key when another was faster; a reader that dies leaves a file that the next one reads again.
 */
import { DAY_MS } from "../base/duration.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { JournalEntry } from "../runbook/journal.js";
import { type JournalLine, type JournalRead, readLines } from "../runbook/journal-line.js";
import { type Database, isDatabaseAway, type Sql } from "../store/database.js";
import { claimJournalEntry, recordPastDeed, settleJournalEntry } from "../store/journal-entries.js";
import { isWaiting } from "./journal.js";
import type { JournalFileInfo, JournalFiles } from "./journal-files.js";

export type InboundEntry = Extract<JournalEntry, { kind: "inbound" }>;

export interface ReplayDeps {
  readonly files: JournalFiles;
  readonly db: Database;
  readonly log: Logger;
  /** Of this machine. */
  readonly host: string;
  /** Does what the door would have done; the outcome in a few words. */
  readonly takeInbound: (tx: Sql, entry: InboundEntry) => Promise<string>;
}

export interface Replayed {
  readonly taken: number;
  /** Were in the database already. */
  readonly known: number;
  /** Could not be taken over, now or ever: their outcome says why. */
  readonly refused: number;
}

const TAKEN = ".taken";
const DONE = ".done";
/** Somebody has to look at it: it stays until a person removes it. */
const BROKEN = ".broken";
/** Files that are in the database are kept this long, for whoever looks into what happened. */
const DONE_KEPT_MS = 7 * DAY_MS;

const NOTHING: Replayed = { taken: 0, known: 0, refused: 0 };

/** Throws a transient Fault when the database is away (again): what is left stays where it is. */
export async function replayJournal(deps: ReplayDeps, signal: AbortSignal): Promise<Replayed> {
  const { files } = deps;
  const waiting = (await files.list()).filter(isWaiting).sort(byAge);
  let sum = NOTHING;
  for (const { name } of waiting) {
    if (signal.aborted) break;
    sum = add(sum, await replayFile(deps, name));
  }
  return sum;
}

/** Removes files that were taken over long ago. */
export async function tidyJournal(files: JournalFiles, now: Date): Promise<void> {
  for (const { name, at } of await files.list()) {
    if (name.endsWith(DONE) && now.getTime() - at.getTime() > DONE_KEPT_MS)
      await files.remove(name);
  }
}

/** Names begin with the milliseconds of their making. */
function byAge(a: JournalFileInfo, b: JournalFileInfo): number {
  return Number.parseInt(a.name, 10) - Number.parseInt(b.name, 10) || (a.name < b.name ? -1 : 1);
}

function add(a: Replayed, b: Replayed): Replayed {
  return { taken: a.taken + b.taken, known: a.known + b.known, refused: a.refused + b.refused };
}

async function replayFile(deps: ReplayDeps, found: string): Promise<Replayed> {
  const { files } = deps;
  const taken = found.endsWith(TAKEN) ? found : `${found}${TAKEN}`;
  // Before the read: what is written from now on goes into another file.
  if (taken !== found && !(await files.rename(found, taken))) return NOTHING;
  const read = await readFile(files, taken);
  if (read === null) return NOTHING;
  let sum = NOTHING;
  for (const line of read.lines) sum = add(sum, await replayLine(deps, line));
  await putAway(deps, taken, read, sum);
  return sum;
}

/** Null: another reader is done with it. */
async function readFile(files: JournalFiles, name: string): Promise<JournalRead | null> {
  try {
    return readLines(await files.read(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

async function replayLine(deps: ReplayDeps, line: JournalLine): Promise<Replayed> {
  const { db, log, host } = deps;
  const { at: writtenAt, entry } = line;
  const origin = { host, writtenAt };
  try {
    const isNew = await db.transaction(async (tx) => {
      if (!(await claimJournalEntry(tx, entry, origin))) return false;
      await settleJournalEntry(tx, entry.key, await carryOver(deps, tx, line));
      return true;
    });
    return isNew ? { ...NOTHING, taken: 1 } : { ...NOTHING, known: 1 };
  } catch (thrown) {
    if (isDatabaseAway(thrown)) throw thrown;
    // One that the database will never take must not hold back all behind it.
    const error = errorMessage(thrown);
    log.error("journal.entry-refused", { key: entry.key, kind: entry.kind, error });
    await db.transaction(async (tx) => {
      if (await claimJournalEntry(tx, entry, origin))
        await settleJournalEntry(tx, entry.key, `refused: ${error}`.slice(0, 500));
    });
    return { ...NOTHING, refused: 1 };
  }
}

async function carryOver(
  { host, takeInbound }: ReplayDeps,
  tx: Sql,
  { at: writtenAt, entry }: JournalLine,
): Promise<string> {
  if (entry.kind === "inbound") return takeInbound(tx, entry);
  await recordPastDeed(tx, entry, { host, writtenAt });
  return "written into the audit log";
}

async function putAway(
  { files, log, host }: ReplayDeps,
  taken: string,
  { trouble }: JournalRead,
  { taken: entries, known, refused }: Replayed,
): Promise<void> {
  const isBroken = trouble?.kind === "broken";
  const name = taken.slice(0, -TAKEN.length);
  // False: another reader has done the same meanwhile.
  if (!(await files.rename(taken, `${name}${isBroken ? BROKEN : DONE}`))) return;
  const facts = { file: name, host, entries, known, refused };
  if (isBroken) log.error("journal.broken", { ...facts, line: trouble.line });
  else if (trouble) log.warn("journal.torn", { ...facts, line: trouble.line });
  else log.info("journal.replayed", facts);
}
