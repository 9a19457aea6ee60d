/**
 * Completion scripts of three shells over one table of words. Commands and options stand in the script, so that they
 * come at once; what follows `runbook run` is asked of `algobrain runbook complete`, which knows the runbooks.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What has been typed, to the words that may follow and what each means. */
export type CompletionTable = ReadonlyMap<string, ReadonlyMap<string, string>>;

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Where the table goes in the files of `scripts/completion`. */
const PLACE = "@TABLE@\n";

/** @param packageRoot where the product's own files are */
export async function completionScript(
  shell: Shell,
  table: CompletionTable,
  packageRoot: string,
): Promise<string> {
  const path = join(packageRoot, "scripts/completion", `algobrain.${shell}`);
  const text = await readFile(path, "utf8");
  const lines = shell === "fish" ? fishTable(table) : posixTable(table);
  return text.replace(PLACE, () => lines.map((line) => `${line}\n`).join(""));
}

/** A function that prints what may follow, one `word<TAB>meaning` a line, and fails for what nothing follows. */
function posixTable(table: CompletionTable): string[] {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const cases = [...table].map(
    ([key, words]) => `    ${quote(key)}) ${printing(linesOf(words).map(quote))} ;;`,
  );
  return ["_algobrain_after() {", '  case "$1" in', ...cases, "    *) return 1 ;;", "  esac", "}"];
}

function fishTable(table: CompletionTable): string[] {
  const quote = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const cases = [...table].flatMap(([key, words]) => [
    `    case ${quote(key)}`,
    `      ${printing(linesOf(words).map(quote))}`,
  ]);
  return [
    "function __algobrain_after",
    '  switch "$argv[1]"',
    ...cases,
    "    case '*'",
    "      return 1",
    "  end",
    "end",
  ];
}

/** In all three shells; with nothing to print it succeeds all the same. */
function printing(quoted: readonly string[]): string {
  return quoted.length === 0 ? "true" : `printf '%s\\n' ${quoted.join(" ")}`;
}

function linesOf(words: ReadonlyMap<string, string>): string[] {
  return [...words].map(([word, description]) => `${word}\t${description}`);
}
