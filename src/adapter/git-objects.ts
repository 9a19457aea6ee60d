/**
 * The object store of a repository, looked through before git opens it: git reads packs and loose objects through
 * symbolic links, waits for ever on a pipe, and follows `alternates` into other repositories.
 */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ifMissing, unreadable } from "./git-faults.js";
import type { Bounds, GitPlace } from "./git-place.js";
import { readPlainFile } from "./plain-file.js";

const ALTERNATES_MAX_BYTES = 64 * 1024;
/** As deep as git itself follows them (gitrepository-layout, objects/info/alternates). */
const ALTERNATES_DEPTH = 5;
/** Files and folders of one store or of its tags: ten times what `git gc` lets a repository grow to, and more. */
const ENTRIES_MAX = 1_000_000;
/** Folders of loose objects, of which there are at most 256. */
const LOOSE = /^[0-9a-f]{2}$/;

/** Throws data faults `GIT_OUTSIDE_ROOT` and `GIT_REPOSITORY_UNREADABLE`. */
export async function checkObjects({ objects, bounds }: GitPlace): Promise<void> {
  await checkStore(objects, bounds, ALTERNATES_DEPTH);
}

async function checkStore(store: string, bounds: Bounds, depth: number): Promise<void> {
  const walk = newWalk();
  const names = await walk.look(store);
  const loose = names.filter(({ name }) => LOOSE.test(name));
  // One after the other: hundreds at once would starve the other jobs of this process.
  for (const { name } of loose) await walk.look(join(store, name));
  for (const name of ["pack", "info"]) await walk.tree(join(store, name));
  for (const next of await alternatesOf(store)) {
    const found = await bounds.within(next, `objects/info/alternates of ${store}`);
    // Git passes over what is not there, and over what is nested too deep.
    if (found !== null && depth > 0) await checkStore(found, bounds, depth - 1);
  }
}

/** Everything below `folder` is a plain file or a folder. A folder that is not there is none. */
export async function checkTree(folder: string): Promise<void> {
  await newWalk().tree(folder);
}

function newWalk() {
  let seen = 0;
  const look = async (folder: string): Promise<Dirent[]> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(
      ifMissing<Dirent[]>(folder, []),
    );
    seen += entries.length;
    if (seen > ENTRIES_MAX) throw unreadable(folder, `it holds more than ${ENTRIES_MAX} files`);
    const odd = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
    if (odd) throw unreadable(join(folder, odd.name), "it is a link, a pipe or a device");
    return entries;
  };
  const tree = async (folder: string): Promise<void> => {
    for (const entry of await look(folder))
      if (entry.isDirectory()) await tree(join(folder, entry.name));
  };
  return { look, tree };
}

async function alternatesOf(store: string): Promise<string[]> {
  const file = join(store, "info", "alternates");
  const text = (await readPlainFile(file, ALTERNATES_MAX_BYTES))?.toString("utf8") ?? "";
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  // Git would take the quotes off and read escapes: no program writes such a line for a path without newlines.
  if (lines.some((line) => line.startsWith('"') || line.includes("\0")))
    throw unreadable(file, "it holds a quoted path");
  return lines.map((line) => resolve(store, line));
}
