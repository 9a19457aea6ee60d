/** Where the synthesized stacks of one environment lie: one folder each, in the order in which they are applied. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fault } from "../../base/fault.js";
import { STACK_ORDER, type StackPart } from "../../policy/stack-order.js";

export interface StackFolder {
  readonly part: StackPart;
  /** Absolute, or relative as `dir` is. */
  readonly folder: string;
}

/**
 * `<dir>/<system>-<environment>-<part>` for each part, or for the one that is wanted. Throws a refused Fault when one
 * is missing: a stack that is not looked at must never pass for one that is well.
 */
export async function findStackFolders(
  dir: string,
  environment: string,
  wanted: StackPart | null,
): Promise<StackFolder[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return STACK_ORDER.filter((part) => wanted === null || part === wanted).map((part) => {
    const ending = `-${environment}-${part}`;
    const found = names.filter((name) => name.endsWith(ending));
    if (found.length === 1) return { part, folder: join(dir, found[0]!) };
    throw fault.refused(
      "STACK_NOT_FOUND",
      `${dir}: found ${found.length} folders that end with ${ending}, expected one`,
      { hint: `write them with: algobrain synth --env ${environment}` },
    );
  });
}
