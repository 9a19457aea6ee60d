/**
 * What comes in while the database is away, kept on this machine: see docs/decisions/0039. Every process writes a file
 * of its own; whoever finds the database back renames a file before reading it, so that its writer notices and turns
 * to a new one. An entry may so be taken over twice, and the second time finds its key.
 */

import type { Clock } from "../base/clock.js";
import { MINUTE_MS } from "../base/duration.js";
import { errorMessage, fault } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { Journal, JournalEntry } from "../runbook/journal.js";
import { formatLine, JOURNAL_START, readLines } from "../runbook/journal-line.js";
import type { JournalFile, JournalFileInfo, JournalFiles } from "./journal-files.js";

export interface JournalDeps {
  readonly files: JournalFiles;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of this process: part of the names of its files. */
  readonly pid: number;
}

/** Of all files that wait to be taken over, in bytes. */
export const JOURNAL_BYTES_MAX = 64 * 1_024 * 1_024;
/** GitHub's deliveries are large, and GitHub keeps them for three days itself: commands and pages have the rest. */
const GITHUB_BYTES_MAX = 48 * 1_024 * 1_024;
/** Names that are tried for a new file before the folder is called broken. */
const NAMES_MAX = 100;
/** Being full is said in the log at most once in this time. */
const SAID_EVERY_MS = MINUTE_MS;

/** Waits to be read: as its writer made it, or as a reader took it that may have died since. */
const WAITING = /^\d+-\d+-\d+\.jsonl(\.taken)?$/;

export function isWaiting({ name }: JournalFileInfo): boolean {
  return WAITING.test(name);
}

/** A file as last read. */
interface Waiting {
  readonly bytes: number;
  readonly keys: ReadonlySet<string>;
}

/** The file that this process writes. */
interface Segment {
  readonly name: string;
  readonly file: JournalFile;
  readonly keys: Set<string>;
  sum: string;
  bytes: number;
}

export class FileJournal implements Journal {
  readonly #deps: JournalDeps;
  #known: ReadonlyMap<string, Waiting> = new Map();
  #segment: Segment | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(deps: JournalDeps) {
    this.#deps = deps;
  }

  append(entry: JournalEntry): Promise<"kept" | "known"> {
    // One after the other: lines build on each other.
    const done = this.#last.then(() => this.#append(entry));
    this.#last = done.catch(() => {
      // Told to whoever asked for it; the next one begins anew.
    });
    return done;
  }

  pending(): number {
    const others = [...this.#known].filter(([name]) => name !== this.#segment?.name);
    const ours = this.#segment?.keys.size ?? 0;
    return others.reduce((sum, [, { keys }]) => sum + keys.size, ours);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#leave();
  }

  async #append(entry: JournalEntry): Promise<"kept" | "known"> {
    try {
      const bytes = await this.#look();
      if ([...this.#known.values()].some(({ keys }) => keys.has(entry.key))) return "known";
      this.#requireRoom(entry, bytes);
      await this.#write(entry);
      return "kept";
    } catch (thrown) {
      throw this.#refusal(thrown);
    }
  }

  /** Bytes of all that waits, also from before the start and from other processes. */
  async #look(): Promise<number> {
    const waiting = (await this.#deps.files.list()).filter(isWaiting);
    const known = new Map<string, Waiting>();
    for (const { name, bytes } of waiting) {
      const before = this.#known.get(name);
      if (name === this.#segment?.name) known.set(name, { bytes, keys: this.#segment.keys });
      else if (before?.bytes === bytes) known.set(name, before);
      else known.set(name, { bytes, keys: await this.#keysOf(name) });
    }
    this.#known = known;
    return waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async #keysOf(name: string): Promise<ReadonlySet<string>> {
    try {
      const { lines } = readLines(await this.#deps.files.read(name));
      return new Set(lines.map(({ entry }) => entry.key));
    } catch (error) {
      // Taken over in between: what it held is in the database.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Set();
      throw error;
    }
  }

  #requireRoom(entry: JournalEntry, bytes: number): void {
    const isGithub = entry.kind === "inbound" && entry.source === "github";
    const max = isGithub ? GITHUB_BYTES_MAX : JOURNAL_BYTES_MAX;
    const { text } = formatLine({ n: 1, at: "", entry }, JOURNAL_START);
    if (bytes + Buffer.byteLength(text) <= max) return;
    throw new Error(`${bytes} bytes wait to be taken over, and ${max} may`);
  }

  async #write(entry: JournalEntry): Promise<void> {
    // A reader has taken the file between our write and this look: whether it saw the line, nobody knows.
    for (let isSeen = false; !isSeen; ) {
      const segment = this.#segment ?? (await this.#open());
      await this.#writeLine(segment, entry);
      isSeen = await segment.file.isInPlace();
      if (!isSeen) await this.#leave();
    }
  }

  async #writeLine(segment: Segment, entry: JournalEntry): Promise<void> {
    const at = this.#deps.clock.now().toISOString();
    const { text, sum } = formatLine({ n: segment.keys.size + 1, at, entry }, segment.sum);
    try {
      await segment.file.append(text);
    } catch (thrown) {
      await this.#takeBack(segment, entry);
      throw thrown;
    }
    segment.sum = sum;
    segment.bytes += Buffer.byteLength(text);
    segment.keys.add(entry.key);
  }

  /** Its sender hears that nothing was kept, so nothing of it may stay; the file is not written again. */
  async #takeBack(segment: Segment, { key }: JournalEntry): Promise<void> {
    try {
      await segment.file.cutTo(segment.bytes);
    } catch (thrown) {
      const error = errorMessage(thrown);
      this.#deps.log.error("journal.uncertain", { file: segment.name, key, error });
    }
    await this.#leave();
  }

  async #open(): Promise<Segment> {
    const { files, clock, pid } = this.#deps;
    const ms = clock.now().getTime();
    for (let n = 1; n <= NAMES_MAX; n++) {
      const name = `${ms}-${pid}-${n}.jsonl`;
      try {
        const file = await files.create(name);
        this.#segment = { name, file, keys: new Set(), sum: JOURNAL_START, bytes: 0 };
        return this.#segment;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
    throw new Error("no name is free for a new file");
  }

  async #leave(): Promise<void> {
    const segment = this.#segment;
    this.#segment = null;
    try {
      await segment?.file.close();
    } catch (thrown) {
      // Its lines were synced one by one.
      this.#deps.log.debug("journal.unclosed", { error: errorMessage(thrown) });
    }
  }

  #refusal(thrown: unknown) {
    const error = errorMessage(thrown);
    const nowMs = this.#deps.clock.now().getTime();
    if (Math.abs(nowMs - this.#saidMs) >= SAID_EVERY_MS) {
      this.#saidMs = nowMs;
      this.#deps.log.error("journal.refused", { error });
    }
    return fault.transient(
      "JOURNAL_REFUSED",
      `the journal of this machine takes nothing: ${error}`,
      {
        hint: "is the disk of ALGOBRAIN_HOME full or read-only? what waits there is taken over when the database is back",
        cause: thrown,
      },
    );
  }
}
