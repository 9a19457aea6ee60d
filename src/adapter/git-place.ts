/**
 * Where the parts of a repository lie, found without asking git: git would follow whatever a stranger wrote into
 * `.git`, `commondir` or `alternates` to anywhere on the machine. Each part must lie under one folder, the root.
 */
import { lstat, realpath } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import type { RepoPlace } from "../job/port.js";
import { ifMissing, missing, outside, unreadable } from "./git-faults.js";
import { readPlainFile } from "./plain-file.js";

/** A file that holds one path. */
const POINTER_MAX_BYTES = 4 * 1024;

export interface GitPlace {
  /** Holds HEAD. */
  readonly gitDir: string;
  /** Holds config, refs and objects; the same folder except in a worktree. */
  readonly commonDir: string;
  readonly objects: string;
  readonly bounds: Bounds;
}

export interface Bounds {
  /**
   * The place with links resolved; null: nothing is there. Throws a data fault `GIT_OUTSIDE_ROOT`.
   * @param what in the words of the person who must repair it
   */
  within(path: string, what: string): Promise<string | null>;
}

/** Whether there is something at `path` that calls itself a repository: a `.git`, or the insides of a bare one. */
export async function isRepository(path: string): Promise<boolean> {
  if (await exists(join(path, ".git"))) return true;
  return (await exists(join(path, "HEAD"))) && (await exists(join(path, "objects")));
}

/** Throws data faults `GIT_REPOSITORY_MISSING`, `GIT_REPOSITORY_UNREADABLE` and `GIT_OUTSIDE_ROOT`. */
export async function findPlace(at: RepoPlace): Promise<GitPlace> {
  const bounds = await boundsOf(at);
  const path = await bounds.within(at.path, "the repository");
  if (path === null || !(await isRepository(path))) throw missing(at.path);
  const gitDir = await expected(bounds, await gitDirOf(path), "its .git");
  const commonDir = await expected(bounds, await commonDirOf(gitDir), "its commondir");
  const objects = await expected(bounds, join(commonDir, "objects"), "its objects");
  return { gitDir, commonDir, objects, bounds };
}

async function boundsOf({ root, path }: RepoPlace): Promise<Bounds> {
  const real = await realpath(root).catch(ifMissing(root, null));
  if (real === null) throw missing(path);
  return {
    within: async (target, what) => {
      const found = await realpath(target).catch(ifMissing(target, null));
      if (found !== null && !isUnder(real, found)) throw outside(what, found, real);
      return found;
    },
  };
}

function isUnder(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** `path/.git`, or what the file of that name points to (worktrees, submodules), or `path` itself when bare. */
async function gitDirOf(path: string): Promise<string> {
  const inside = join(path, ".git");
  const found = await lstat(inside).catch(ifMissing(inside, null));
  if (found === null) return path;
  if (found.isDirectory() || found.isSymbolicLink()) return inside;
  const text = (await readPlainFile(inside, POINTER_MAX_BYTES))?.toString("utf8") ?? "";
  const pointed = /^gitdir: ([^\0\n]+)\n*$/.exec(text)?.[1];
  if (pointed === undefined) throw unreadable(inside, 'expected one line "gitdir: <path>"');
  return resolve(path, pointed);
}

async function commonDirOf(gitDir: string): Promise<string> {
  const pointer = await readPlainFile(join(gitDir, "commondir"), POINTER_MAX_BYTES);
  if (pointer === null) return gitDir;
  const text = pointer.toString("utf8").trim();
  if (text === "" || text.includes("\0")) throw unreadable(join(gitDir, "commondir"), "no path");
  return resolve(gitDir, text);
}

async function expected(bounds: Bounds, path: string, what: string): Promise<string> {
  const found = await bounds.within(path, what);
  if (found === null) throw unreadable(path, "nothing is there");
  return found;
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    // Also where we may not look: it is none of ours.
    () => false,
  );
}
