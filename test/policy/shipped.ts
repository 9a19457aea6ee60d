/** The policies of this repository as texts, and ways to break one of them. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatProblem } from "../../src/base/problem.js";
import { checkPolicies } from "../../src/policy/bundle.js";
import { CATALOGUE_PATH, isPolicyFile } from "../../src/policy/files.js";
import type { SourceFile } from "../../src/policy/source.js";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const SHIPPED: readonly SourceFile[] = [
  ...readdirSync(join(ROOT, "policies"), { recursive: true, encoding: "utf8" }).map(
    (path) => `policies/${path}`,
  ),
  CATALOGUE_PATH,
]
  .filter(isPolicyFile)
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

/** The shipped files with one of them replaced or added. */
export function withFile(path: string, text: string): SourceFile[] {
  return [...SHIPPED.filter((file) => file.path !== path), { path, text }];
}

/** The shipped files without one. */
export function withoutFile(path: string): SourceFile[] {
  return SHIPPED.filter((file) => file.path !== path);
}

/**
 * The shipped files with one text in one of them replaced, and where the marks `¦` in the new text
 * stand (`file:line:column`); the marks themselves are taken out. The old text must be there.
 */
export function withEdit(
  path: string,
  from: string,
  to: string,
): { files: SourceFile[]; places: string[] } {
  const original = SHIPPED.find((file) => file.path === path);
  if (!original?.text.includes(from)) throw new Error(`${path} does not hold ${from}`);
  const [first, ...parts] = original.text.replace(from, () => to).split("¦");
  let text = first!;
  const places = parts.map((part) => {
    const lines = text.split("\n");
    text += part;
    return `${path}:${lines.length}:${lines.at(-1)!.length + 1}`;
  });
  return { files: withFile(path, text), places };
}

/** What `policy check` prints, line by line. */
export function linesOf(files: readonly SourceFile[]): string[] {
  return checkPolicies(files).map(formatProblem);
}
