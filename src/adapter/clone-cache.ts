/**
 * Clones without file contents of what GitHub keeps, in one bounded folder of this machine (HB-wrk-03). Each is
 * fetched by one process at a time, and the least recently used goes when all together are too large. Nothing of
 * them leaves the machine.
 */
import { mkdir, rm } from "node:fs/promises";
import { Fault } from "../base/fault.js";
import type { SecretText } from "../base/secret-text.js";
import type { RepoStore, SourceRepo } from "../job/source-port.js";
import type { Shell } from "../runbook/port.js";
import {
  addReader,
  type CloneFiles,
  clearHalfWritten,
  clearLeftovers,
  cloneFiles,
  hasReaders,
  layOutClone,
  listClones,
  readState,
  removeClone,
  touchState,
  writeState,
} from "./clone-files.js";
import { busy, type CloneLock, type Processes, takeLock, tryLock } from "./clone-lock.js";
import { repackWhenMany } from "./clone-packs.js";
import { fetchBranch, fetchOrigin, fetchUrl } from "./fetch-url.js";
import { folderBytes } from "./folder-bytes.js";
import { type FetchCall, fetchHistory } from "./git-fetch.js";

const KB = 1024;
/** Where the host names no branch, the repository has no commit. */
const UNNAMED_BRANCH = "main";

export interface CloneLimits {
  /** Of all clones together. */
  readonly cacheBytesMax: number;
  /** Of one clone. */
  readonly repoBytesMax: number;
  readonly fetchTimeoutMs: number;
}

export interface CloneCacheSetup {
  readonly shell: Shell;
  /** Ours alone: what is in it may be deleted at any time. */
  readonly folder: string;
  /** `https://github.com`, or that of an Enterprise server: the one place that is fetched from and gets the credential. */
  readonly origin: string;
  readonly credential: (signal: AbortSignal) => Promise<SecretText | null>;
  /** As they are in force now. */
  readonly limits: () => CloneLimits;
  readonly processes: Processes;
  readonly now: () => Date;
}

type Wanted = SourceRepo & { readonly id: string };

export function createCloneCache(setup: CloneCacheSetup): RepoStore {
  const checked = { ...setup, origin: fetchOrigin(setup.origin) };
  return {
    hold: (repo, { freshAfter }, signal) => hold(checked, repo, freshAfter, signal),
    forget: (repoId) => forget(checked, repoId),
    stats: () => countClones(setup.folder),
  };
}

async function hold(setup: CloneCacheSetup, repo: Wanted, freshAfter: Date, signal: AbortSignal) {
  const files = cloneFiles(setup.folder, repo.id);
  await mkdir(setup.folder, { recursive: true, mode: 0o700 });
  const lock = await takeLock(files.lock, setup.processes, signal);
  try {
    const branch = fetchBranch(repo.defaultBranch ?? UNNAMED_BRANCH);
    const state = await readState(files);
    const isFresh = state !== null && state.fetchedAt >= freshAfter && state.branch === branch;
    if (!isFresh) await refresh(setup, files, { repo, branch, lock, signal });
    await touchState(files, setup.now());
    const release = await addReader(files, setup.processes);
    return { at: { path: files.clone, root: files.clone }, release };
  } finally {
    await lock.release();
  }
}

interface Refresh {
  readonly repo: Wanted;
  readonly branch: string;
  readonly lock: CloneLock;
  readonly signal: AbortSignal;
}

async function refresh(setup: CloneCacheSetup, files: CloneFiles, wish: Refresh): Promise<void> {
  const startedAt = setup.now();
  const isNew = (await readState(files)) === null;
  try {
    await fetchInto(setup, files, wish);
  } catch (error) {
    if (!isOfTheClone(error)) throw error;
    // Whoever reads it reads on: it is made anew when they are done.
    if (await hasReaders(files, setup.processes)) throw isTooLarge(error) ? error : busy();
    // Damaged, or full of what was pushed over: once more from the beginning, which is what a person would do.
    await removeClone(files);
    if (isNew) throw error;
    await fetchInto(setup, files, wish);
  }
  const bytes = await folderBytes(files.clone);
  await writeState(files, { fetchedAt: startedAt, branch: wish.branch, bytes });
  await evict(setup);
}

/** Another fetch into the same clone would end the same way. */
function isOfTheClone(error: unknown): boolean {
  const codes = ["REPO_TOO_LARGE", "GIT_FETCH_BROKEN", "GIT_REPOSITORY_UNREADABLE"];
  return error instanceof Fault && codes.includes(error.code);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Fault && error.code === "REPO_TOO_LARGE";
}

async function fetchInto(
  setup: CloneCacheSetup,
  files: CloneFiles,
  { repo, branch, lock, signal }: Refresh,
): Promise<void> {
  const url = fetchUrl(repo.cloneUrl, setup.origin);
  const { repoBytesMax, fetchTimeoutMs } = setup.limits();
  const call: FetchCall = {
    shell: setup.shell,
    gitDir: files.clone,
    name: `${repo.owner}/${repo.name}`,
    source: { url, branch, credential: await setup.credential(signal) },
    bytesMax: repoBytesMax,
    fullBytes: repo.sizeKb * KB,
    timeoutMs: fetchTimeoutMs,
    signal,
    onStarted: lock.noteChild,
  };
  await layOutClone(files);
  await clearHalfWritten(files);
  await fetchHistory(call);
  const packing = { ...call, fileBytesMax: repoBytesMax };
  if (!(await hasReaders(files, setup.processes))) await repackWhenMany(packing);
}

/** Least recently used first, and never one that somebody reads or fetches. */
async function evict({ folder, limits, processes, now }: CloneCacheSetup): Promise<void> {
  await clearLeftovers(folder, now());
  const clones = await listClones(folder);
  let bytes = clones.reduce((sum, clone) => sum + clone.bytes, 0);
  for (const clone of clones) {
    if (bytes <= limits().cacheBytesMax) return;
    const lock = await tryLock(clone.files.lock, processes);
    if (lock === null) continue;
    try {
      if (await hasReaders(clone.files, processes)) continue;
      await removeClone(clone.files);
      bytes -= clone.bytes;
    } finally {
      await lock.release();
    }
  }
}

async function forget(setup: CloneCacheSetup, id: string): Promise<void> {
  await mkdir(setup.folder, { recursive: true, mode: 0o700 });
  const files = cloneFiles(setup.folder, id);
  const lock = await takeLock(files.lock, setup.processes, new AbortController().signal);
  try {
    // While it is read it only counts as never fetched: the next one who wants room takes it away.
    if (await hasReaders(files, setup.processes)) await rm(files.state, { force: true });
    else await removeClone(files);
  } finally {
    await lock.release();
  }
}

async function countClones(folder: string): Promise<{ repos: number; bytes: number }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const clones = await listClones(folder);
  return { repos: clones.length, bytes: clones.reduce((sum, { bytes }) => sum + bytes, 0) };
}
