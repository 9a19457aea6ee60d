/** What lies in the folder of clones: for each repository the clone, its lock, what is known of it, and who reads it. */
import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.js";
import { HOUR_MS } from "../base/duration.js";
import type { Processes } from "./clone-lock.js";
import { folderBytes } from "./folder-bytes.js";
import { ifAbsent } from "./if-absent.js";
import { parseObject } from "./parse-object.js";

/** No job lasts as long: a mark that is older was left by a process of which nobody can tell whether it lives. */
const READING_MAX_MS = 2 * HOUR_MS;
/** Locks and clones that were moved aside by a process that died before it deleted them. */
const LEFTOVER = /\.gone-|\.lock\./;

export interface CloneState {
  /** When the fetch began: what was pushed later may be missing. */
  readonly fetchedAt: Date;
  readonly branch: string;
  readonly bytes: number;
}

export interface CloneFiles {
  readonly id: string;
  readonly clone: string;
  readonly lock: string;
  /** Written after each complete fetch; its time is that of the last use. */
  readonly state: string;
  readonly readers: string;
}

export function cloneFiles(folder: string, id: string): CloneFiles {
  assert(/^[A-Za-z0-9_-]{1,100}$/.test(id), `"${id.slice(0, 100)}" is no id of a repository`);
  const at = (ending: string) => join(folder, `${id}${ending}`);
  return {
    id,
    clone: at(".git"),
    lock: at(".lock"),
    state: at(".json"),
    readers: at(".readers"),
  };
}

/** An empty bare repository: what `git init` would make, without templates. Again, it changes nothing. */
export async function layOutClone({ clone }: CloneFiles): Promise<void> {
  for (const name of ["refs/heads", "refs/tags", "objects/pack", "objects/info"])
    await mkdir(join(clone, name), { recursive: true, mode: 0o700 });
}

/** Null: never fetched whole, or a power cut took what was written of it. */
export async function readState({ state }: CloneFiles): Promise<CloneState | null> {
  const found = parseObject(await readFile(state, "utf8").catch(ifAbsent("")));
  if (typeof found?.fetchedAt !== "string" || typeof found.branch !== "string") return null;
  return {
    fetchedAt: new Date(found.fetchedAt),
    branch: found.branch,
    bytes: Number(found.bytes),
  };
}

export async function writeState({ state }: CloneFiles, now: CloneState): Promise<void> {
  await writeFile(`${state}.new`, JSON.stringify(now));
  await rename(`${state}.new`, state);
}

export async function touchState({ state }: CloneFiles, at: Date): Promise<void> {
  await utimes(state, at, at);
}

export interface KnownClone {
  readonly files: CloneFiles;
  readonly bytes: number;
}

/** All clones, also those that were never fetched whole, the least recently used first. */
export async function listClones(folder: string): Promise<KnownClone[]> {
  const found: (KnownClone & { usedMs: number })[] = [];
  for (const name of await readdir(folder)) {
    const id = /^([A-Za-z0-9_-]+)\.git$/.exec(name)?.[1];
    if (id === undefined) continue;
    const files = cloneFiles(folder, id);
    const state = await readState(files);
    const used = await stat(state ? files.state : files.clone).catch(ifAbsent(null));
    const bytes = state?.bytes ?? (await folderBytes(files.clone));
    if (used !== null) found.push({ files, bytes, usedMs: used.mtimeMs });
  }
  return found.sort((a, b) => a.usedMs - b.usedMs);
}

/** Marks that somebody reads the clone. To be called while its lock is held. Returns the taking back, safe to repeat. */
export async function addReader({ readers }: CloneFiles, processes: Processes) {
  await mkdir(readers, { recursive: true });
  const mark = join(readers, randomUUID());
  await writeFile(mark, processes.keyOf(process.pid) ?? "");
  return () => rm(mark, { force: true });
}

/** Whether anybody reads it who lives. To be called while its lock is held, so that nobody begins meanwhile. */
export async function hasReaders({ readers }: CloneFiles, processes: Processes): Promise<boolean> {
  for (const name of await readdir(readers).catch(ifAbsent<string[]>([]))) {
    const mark = join(readers, name);
    const made = await stat(mark).catch(ifAbsent(null));
    const key = await readFile(mark, "utf8").catch(ifAbsent(null));
    const isOver = made !== null && Date.now() - made.mtimeMs > READING_MAX_MS;
    if (key !== null && !isOver && !processes.isGone(key === "" ? null : key)) return true;
    await rm(mark, { force: true });
  }
  return false;
}

/** To be called while its lock is held. What is known of it goes first: half a clone is none. */
export async function removeClone({ clone, state, readers }: CloneFiles): Promise<void> {
  await rm(state, { force: true });
  const aside = `${clone}.gone-${randomUUID()}`;
  await rename(clone, aside).catch(ifAbsent(undefined));
  await rm(aside, { recursive: true, force: true });
  await rm(readers, { recursive: true, force: true });
}

/** What a git that was killed left half written. To be called while its lock is held and no git of ours runs there. */
export async function clearHalfWritten({ clone }: CloneFiles): Promise<void> {
  // No ref may end on `.lock` (git-check-ref-format), but one may begin with `tmp_`.
  for (const path of await readdir(clone, { recursive: true }))
    if (/^objects\/(?:.*\/)?(?:tmp_|\.tmp-)[^/]*$|\.lock$/.test(path))
      await rm(join(clone, path), { force: true, recursive: true });
}

export async function clearLeftovers(folder: string, now: Date): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!LEFTOVER.test(name)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(ifAbsent(null));
    if (found !== null && now.getTime() - found.mtimeMs > HOUR_MS)
      await rm(path, { recursive: true, force: true });
  }
}
