/**
 * One writer for each clone, over all processes of this machine: a lock file that names its holder, so that the
 * lock of a process that was killed is taken over at once, and the git that it left running is ended first.
 */
import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { systemClock } from "../base/clock.js";
import { type Fault, fault } from "../base/fault.js";
import type { ProcessGroupRef } from "../runbook/port.js";
import { ifAbsent } from "./if-absent.js";
import { parseObject } from "./parse-object.js";
import { endGroup } from "./process-group.js";

/** How long somebody waits for another's fetch before giving the slot back. */
const WAIT_MS = 10_000;
const LOOK_MS = 100;
const RETRY_MS = 5_000;
const BEAT_MS = 15_000;
/** Where nobody can tell whether a process lives: without a beat for this long it does not. */
const SILENT_MS = 8 * BEAT_MS;
const GRACE_MS = 1_000;

/** Tells processes apart over restarts of the machine (runtime/process-key). */
export interface Processes {
  keyOf(pid: number): string | null;
  /** True: it ran on this machine, and it runs no more. */
  isGone(key: string | null): boolean;
}

export interface CloneLock {
  /** To be told before git begins. */
  noteChild(group: ProcessGroupRef): Promise<void>;
  release(): Promise<void>;
}

interface Holder {
  readonly id: string;
  readonly key: string | null;
  readonly child: ProcessGroupRef | null;
}

/** Null: another holds it. */
export async function tryLock(path: string, processes: Processes): Promise<CloneLock | null> {
  const mine: Holder = { id: randomUUID(), key: processes.keyOf(process.pid), child: null };
  if (await create(path, mine)) return holdLock(path, mine);
  const holder = await readHolder(path);
  if (holder !== null && !(await isDead(path, holder, processes))) return null;
  if (holder !== null && !(await moveAway(path, holder))) return null;
  if (holder?.child) await endOrphan(holder.child, processes);
  return (await create(path, mine)) ? holdLock(path, mine) : null;
}

/** Throws `REPO_BUSY` (waiting) when it is not free within seconds. */
export async function takeLock(
  path: string,
  processes: Processes,
  signal: AbortSignal,
): Promise<CloneLock> {
  for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += LOOK_MS) {
    signal.throwIfAborted();
    const lock = await tryLock(path, processes);
    if (lock !== null) return lock;
    await systemClock.sleep(LOOK_MS);
  }
  throw busy();
}

/** Comes back by itself, and burns no attempt. */
export function busy(): Fault {
  return fault.waiting("REPO_BUSY", "another job is fetching or reading this repository", {
    retryAfterMs: RETRY_MS,
  });
}

/** With its content at once: nobody ever reads an empty lock. */
async function create(path: string, holder: Holder): Promise<boolean> {
  const draft = `${path}.${holder.id}`;
  await writeFile(draft, JSON.stringify(holder));
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Of whom nothing can be read any more: it is dead when its lock has been silent. */
const NOBODY: Holder = { id: "", key: null, child: null };

/** Null: it has just been released. */
async function readHolder(path: string): Promise<Holder | null> {
  const text = await readFile(path, "utf8").catch(ifAbsent(null));
  if (text === null) return null;
  const found = parseObject(text);
  return found === null ? NOBODY : (found as unknown as Holder);
}

async function isDead(path: string, { key }: Holder, processes: Processes): Promise<boolean> {
  if (processes.isGone(key)) return true;
  const found = await stat(path).catch(ifAbsent(null));
  return found !== null && Date.now() - found.mtimeMs > SILENT_MS;
}

/** Of two who see the same dead holder, one moves the lock. Whoever moved another's living lock puts it back. */
async function moveAway(path: string, dead: Holder): Promise<boolean> {
  const aside = `${path}.${randomUUID()}`;
  const moved = await rename(path, aside)
    .then(() => true)
    .catch(ifAbsent(false));
  if (!moved) return false;
  const found = await readHolder(aside);
  if (found?.id !== dead.id) await link(aside, path).catch(ifTaken);
  await rm(aside, { force: true });
  return found?.id === dead.id;
}

function ifTaken(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

/** Its parent died, and it would go on writing into the clone. */
async function endOrphan({ pgid, processKey }: ProcessGroupRef, processes: Processes) {
  if (processKey !== null && processes.keyOf(pgid) === processKey) await endGroup(pgid, GRACE_MS);
}

function holdLock(path: string, mine: Holder): CloneLock {
  const beat = setInterval(() => {
    // A lock that is gone has been taken over: its new holder's beat counts.
    utimes(path, new Date(), new Date()).catch(() => clearInterval(beat));
  }, BEAT_MS);
  beat.unref();
  return {
    noteChild: async (child) => {
      // Whoever stood still for long, as a machine that slept, may have been taken over.
      if ((await readHolder(path))?.id !== mine.id) throw busy();
      const draft = `${path}.${mine.id}`;
      await writeFile(draft, JSON.stringify({ ...mine, child }));
      await rename(draft, path);
    },
    release: async () => {
      clearInterval(beat);
      const holder = await readHolder(path);
      if (holder?.id === mine.id) await rm(path, { force: true });
    },
  };
}
