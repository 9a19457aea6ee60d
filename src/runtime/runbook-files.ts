/** Loads the runbooks of a folder, each with the digest of its file: a run is pinned to what it was asked for. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { isJsonObject } from "../base/json.js";
import type { Runbook } from "../runbook/define.js";
import { type RegisteredRunbook, RunbookRegistry } from "../runbook/registry.js";

/** Beside `src` in the checkout and beside it in `dist`: the same way from here. */
export const RUNBOOK_FOLDER = new URL("../../runbooks/", import.meta.url);

/** Throws when a file is no runbook, or when two claim the same name. */
export async function loadRunbooks(folder: URL = RUNBOOK_FOLDER): Promise<RunbookRegistry> {
  const names = (await readdir(folder)).filter((name) => /^[a-z0-9-]+\.(js|ts)$/.test(name));
  return new RunbookRegistry(await Promise.all(names.map((name) => load(new URL(name, folder)))));
}

async function load(file: URL): Promise<RegisteredRunbook> {
  const contentHash = createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
  const module = (await import(file.href)) as { default?: unknown };
  const runbook = module.default;
  const expected = file.pathname
    .split("/")
    .at(-1)
    ?.replace(/\.(js|ts)$/, "");
  if (!isRunbook(runbook)) throw new Error(`${file.pathname} has no runbook as its default export`);
  if (runbook.name !== expected)
    throw new Error(`${file.pathname} defines "${runbook.name}", expected "${expected}"`);
  return { runbook, contentHash };
}

function isRunbook(value: unknown): value is Runbook {
  return isJsonObject(value) && typeof value.name === "string" && Array.isArray(value.steps);
}
