/**
 * The stop switch of this machine: a file, so that it works with the database gone, and a row beside it, so that it
 * reaches every machine. When in doubt the answer is "stopped".
 */
import { randomBytes } from "node:crypto";
import { constants, readFileSync } from "node:fs";
import { access, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../base/clock.js";
import { errorMessage, fault } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { StopOrder, Stopped, StopReached, StopSwitchPort } from "../runbook/stop.js";
import type { Sql } from "../store/database.js";
import {
  clearStopRow,
  readStopRow,
  type StopRow,
  setStopRow,
  stoppedBy,
} from "../store/stop-switch.js";

export interface StopSwitchDeps {
  /** Null: a terminal that could not reach it; the file alone is set then. */
  readonly db: Sql | null;
  /** Path of the file; its folder is made. */
  readonly file: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The row is asked at most once in this time: the switch is looked at before each step and each second. */
const ROW_FRESH_MS = 1_000;
/** Longer than a pause of the network, shorter than anybody waits who pulls a switch. */
const ROW_DEADLINE_MS = 5_000;

interface StopFile {
  readonly by: string;
  readonly reason: string;
  readonly at: string;
  /** Milliseconds of the row's time when this order stood in it; absent: the database has not heard of it. */
  readonly rowAt?: number;
}

export function createStopSwitch(deps: StopSwitchDeps): StopSwitchPort {
  const row = new RowWatch(deps);
  return {
    readLocal: () => toStopped(readStopFile(deps.file, deps.clock)),
    read: async () => {
      const now = await row.read();
      const file = readStopFile(deps.file, deps.clock);
      if (file === null) return now?.active ? stoppedBy(now) : null;
      if (now === null) return toStopped(file);
      return reconcile(deps, row, file, now);
    },
    set: (order) => set(deps, row, order),
    clear: (order) => clear(deps, row, order),
  };
}

/** The row as last seen. A stop that was seen holds until the database itself says that it is over. */
class RowWatch {
  readonly #deps: StopSwitchDeps;
  #seen: StopRow | null = null;
  #seenMs = Number.NEGATIVE_INFINITY;

  constructor(deps: StopSwitchDeps) {
    this.#deps = deps;
  }

  /** Null: the database does not answer, and nothing was seen of a stop. */
  async read(): Promise<StopRow | null> {
    const { db, clock, log } = this.#deps;
    const nowMs = clock.now().getTime();
    // A clock that was set back must not make an old answer fresh.
    if (Math.abs(nowMs - this.#seenMs) < ROW_FRESH_MS) return this.#seen;
    if (db === null) return null;
    try {
      this.saw(await within(clock, readStopRow(db)));
      return this.#seen;
    } catch (thrown) {
      log.warn("stop-switch.unread", { error: errorMessage(thrown) });
      this.saw(this.#seen?.active ? this.#seen : null);
      return this.#seen;
    }
  }

  saw(row: StopRow | null): void {
    this.#seen = row;
    this.#seenMs = this.#deps.clock.now().getTime();
  }
}

/** Gives up waiting: the statement may still arrive, and an order that arrives twice changes nothing. */
async function within<T>(clock: Clock, asked: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = clock.sleep(ROW_DEADLINE_MS, done.signal).then(() => {
    if (done.signal.aborted) return asked;
    throw fault.transient("DATABASE_UNAVAILABLE", "the database did not answer about the stop");
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    done.abort();
  }
}

/** File and database both answer: what one has not heard of, the other tells it. */
async function reconcile(
  deps: StopSwitchDeps,
  row: RowWatch,
  file: StopFile,
  now: StopRow,
): Promise<Stopped | null> {
  if (file.rowAt === undefined) {
    await tellDatabase(deps, row, file);
    return toStopped(file);
  }
  if (now.active) return toStopped(file);
  // Somebody let runs go on, on any machine, after this order stood in the row.
  if (now.at !== null && now.at.getTime() > file.rowAt) {
    await removeFile(deps);
    return readStopFile(deps.file, deps.clock) === null ? null : toStopped(file);
  }
  return toStopped(file);
}

/** An order that was given while the database was away, or a file that somebody made by hand. */
async function tellDatabase(deps: StopSwitchDeps, row: RowWatch, file: StopFile): Promise<void> {
  const { db, clock, log } = deps;
  if (db === null) return;
  try {
    // A file that cannot be written cannot be marked or removed by us either: it speaks for itself alone.
    await access(deps.file, constants.W_OK);
    const now = await within(clock, setStopRow(db, file));
    row.saw(now);
    if (now.at !== null) await writeFile(deps.file, { ...file, rowAt: now.at.getTime() });
  } catch (thrown) {
    log.warn("stop-switch.untold", { error: errorMessage(thrown) });
  }
}

async function set(deps: StopSwitchDeps, row: RowWatch, order: StopOrder): Promise<StopReached> {
  const { db, clock, log } = deps;
  const said: StopFile = { by: order.by, reason: order.reason, at: clock.now().toISOString() };
  const file = await attempt(log, () => writeFile(deps.file, said));
  const database = await attempt(log, async () => {
    if (db === null) throw fault.transient("DATABASE_UNAVAILABLE", "no database is known here");
    const now = await within(clock, setStopRow(db, order));
    row.saw(now);
    if (file && now.at !== null) await writeFile(deps.file, { ...said, rowAt: now.at.getTime() });
  });
  if (!file && !database)
    throw fault.critical(
      "STOP_NOT_SET",
      "neither the stop file nor the database could be written",
      {
        hint: `make the file ${deps.file} by hand on each machine, or end the executor processes`,
      },
    );
  return { file, database };
}

async function clear(deps: StopSwitchDeps, row: RowWatch, order: StopOrder): Promise<StopReached> {
  const { db, clock, log } = deps;
  // The row first: a file without its row would be told to the database as a new stop.
  const database = await attempt(log, async () => {
    if (db === null) throw fault.transient("DATABASE_UNAVAILABLE", "no database is known here");
    await within(clock, clearStopRow(db, order));
    row.saw(await readStopRow(db));
  });
  const file = await attempt(log, () => removeFile(deps));
  return { file, database };
}

async function attempt(log: Logger, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (thrown) {
    log.warn("stop-switch.unreached", { error: errorMessage(thrown) });
    return false;
  }
}

/** Null: there is none. A file that cannot be read or understood stops all the same: somebody put it there. */
function readStopFile(path: string, clock: Clock): StopFile | null {
  try {
    return parseStopFile(readFileSync(path, "utf8"), clock);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return null;
    return unreadable(`the stop file ${path} cannot be read (${code ?? "unknown"})`, clock);
  }
}

const TEXT_MAX = 500;

function parseStopFile(text: string, clock: Clock): StopFile {
  try {
    const value = JSON.parse(text) as Partial<Record<keyof StopFile, unknown>>;
    const { by, reason, at, rowAt } = value;
    if (typeof by !== "string" || typeof reason !== "string" || typeof at !== "string")
      return unreadable("the stop file does not say why", clock);
    const said = { by: by.slice(0, TEXT_MAX), reason: reason.slice(0, TEXT_MAX), at };
    return typeof rowAt === "number" ? { ...said, rowAt } : said;
  } catch {
    // Made by hand, as by `touch`: that is an order too.
    return unreadable(text.trim().slice(0, TEXT_MAX) || "the stop file does not say why", clock);
  }
}

function unreadable(reason: string, clock: Clock): StopFile {
  return { by: "whoever made the stop file", reason, at: clock.now().toISOString() };
}

function toStopped(file: StopFile | null): Stopped | null {
  return file && { by: file.by, reason: file.reason, at: file.at, from: "file" };
}

/** Whole or not at all, and on the disk when it resolves: a later order replaces an earlier one's words. */
async function writeFile(path: string, content: StopFile): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const draft = `${path}.${randomBytes(4).toString("hex")}`;
  const handle = await open(draft, "wx", 0o644);
  try {
    await handle.writeFile(`${JSON.stringify(content)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, path);
  await syncFolder(folder);
}

async function removeFile({ file }: StopSwitchDeps): Promise<void> {
  try {
    await rm(file);
  } catch (error) {
    // Where there is none, there is nothing to make durable.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  await syncFolder(dirname(file));
}

/** A name is as durable as its folder; where the system cannot sync one, the name is as good as it gets. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
  } finally {
    await handle.close();
  }
}
