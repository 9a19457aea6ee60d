/** Loads the runbooks beside this program: each file's default export, pinned to the digest of the file. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fault } from "../base/fault.js";
import { type RunbookAuthors, readRunbookAuthors } from "../runbook/authors-file.js";
import type { Runbook } from "../runbook/define.js";
import { type RegisteredRunbook, RunbookRegistry } from "../runbook/registry.js";

/** `runbooks/` beside `src/`: sources under a loader of TypeScript, compiled files in `dist/`. */
const FOLDER = fileURLToPath(new URL("../../runbooks/", import.meta.url));
const EXTENSION = extname(fileURLToPath(import.meta.url));

export async function loadRunbooks(): Promise<RunbookRegistry> {
  const names = (await readdir(FOLDER)).filter(
    (name) => name.endsWith(EXTENSION) && !name.endsWith(".d.ts"),
  );
  const authors = readRunbookAuthors(await readAuthorsFile());
  return new RunbookRegistry(await Promise.all(names.sort().map((name) => loadOne(name, authors))));
}

/** Null: sources have none, only what is built. */
async function readAuthorsFile(): Promise<string | null> {
  try {
    return await readFile(join(FOLDER, "authors.json"), "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw thrown;
  }
}

/** Name to digest of everything that is built here: what a bundle may require. */
export async function runbookHashes(): Promise<Record<string, string>> {
  const registry = await loadRunbooks();
  return Object.fromEntries(
    registry.list().map(({ runbook, contentHash }) => [runbook.name, contentHash]),
  );
}

async function loadOne(name: string, authors: RunbookAuthors): Promise<RegisteredRunbook> {
  const path = join(FOLDER, name);
  const module = (await import(pathToFileURL(path).href)) as { default?: Runbook };
  const expected = name.slice(0, -EXTENSION.length);
  if (module.default?.name !== expected) {
    throw fault.critical(
      "RUNBOOK_MISNAMED",
      `runbooks/${name} must export the runbook "${expected}" by default`,
    );
  }
  const contentHash = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  const change = authors.changeOf(expected, contentHash);
  return { runbook: module.default, contentHash, change };
}
