/** Each fetch leaves a pack, and git looks into all of them for each object: now and then they become one. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type GitCall, runGit } from "./git-command.js";

/** As many as `git gc` itself lets be (gc.autoPackLimit). */
const PACKS_MAX = 50;

/** To be called while nobody else reads or writes the clone. Whether it had to. */
export async function repackWhenMany(call: GitCall, packsMax = PACKS_MAX): Promise<boolean> {
  const names = await readdir(join(call.gitDir, "objects", "pack"));
  if (names.filter((name) => name.endsWith(".pack")).length <= packsMax) return false;
  await runGit(call, ["pack-refs", "--all"]);
  await runGit(call, ["repack", "-a", "-d", "--quiet"]);
  return true;
}
