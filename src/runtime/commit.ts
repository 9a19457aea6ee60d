/** Which commit this program was built from, as far as can be told: runs are bound to it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/**
 * @param told of `ALGOBRAIN_COMMIT`: an image has no Git
 * @param root of the checkout
 * @returns the id in hex; null when neither tells
 */
export async function findCommit(told: string | null, root: string): Promise<string | null> {
  if (told !== null) return told;
  const head = await read(join(root, ".git", "HEAD"));
  const ref = /^ref: (refs\/\S+)$/.exec(head ?? "")?.[1];
  const id = ref === undefined ? head : await idOf(ref, root);
  return id !== null && COMMIT.test(id) ? id : null;
}

async function idOf(ref: string, root: string): Promise<string | null> {
  const loose = await read(join(root, ".git", ...ref.split("/")));
  if (loose !== null) return loose;
  const packed = (await read(join(root, ".git", "packed-refs"))) ?? "";
  return (
    packed
      .split("\n")
      .find((line) => line.endsWith(` ${ref}`))
      ?.split(" ")[0] ?? null
  );
}

/** Null: there is no such file, or it is not ours to read. A run is then bound to its runbook's digest alone. */
async function read(path: string): Promise<string | null> {
  return readFile(path, "utf8").then(
    (text) => text.trim(),
    () => null,
  );
}
