/**
 * The repository as data for the house tests: files, their rooms, what they import, and their code with
 * comments and texts blanked out. A small scanner of our own: the compiler has no API here, and the
 * questions are simple ones.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { blank } from "./blank.js";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const CODE_FOLDERS = ["src", "stacks", "runbooks", "test", "scripts", "bin"];
const CODE = /\.(ts|mjs|js)$/;

export interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly typeOnly: boolean;
  /** `import("x")`: loaded when it is reached, not at the start. */
  readonly late: boolean;
}

export interface SourceFile {
  /** From the root, with slashes: `src/alert/route.ts`. */
  readonly path: string;
  /** `alert`, `main`, `stacks`, `test`, …; `home` for what lies directly in src/ and is no room. */
  readonly room: string;
  readonly text: string;
  /** As long as `text`, with comments and the insides of texts turned into spaces. */
  readonly code: string;
  readonly imports: readonly Import[];
}

/** What a house test says about a place: the message is the teaching. */
export interface HouseFinding {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly instead: string;
}

export function formatFindings(findings: readonly HouseFinding[]): string {
  return findings
    .map(({ path, line, rule, instead }) => `${path}:${line}: ${rule}\n    instead: ${instead}`)
    .join("\n");
}

let files: readonly SourceFile[] | undefined;

/** Every source file, read once. */
export function sourceFiles(): readonly SourceFile[] {
  files ??= CODE_FOLDERS.flatMap((folder) => listFiles(folder))
    .filter((path) => CODE.test(path) && !path.endsWith(".d.ts"))
    .map((path) => sourceFile(path, readFileSync(join(ROOT, path), "utf8")));
  return files;
}

/** All files of ours under a folder, from the root; none when it is absent. */
export function listFiles(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? listFiles(path) : [path];
    })
    .sort();
}

export function sourceFile(path: string, text: string): SourceFile {
  const code = blank(text);
  return { path, room: roomOf(path), text, code, imports: importsOf(text, code) };
}

function roomOf(path: string): string {
  const parts = path.split("/");
  if (parts[0] !== "src") return parts[0]!;
  // src/main.ts and src/cli.ts are rooms by themselves; src/cli/ holds the commands of the latter.
  return parts[1]!.replace(/\.(ts|mjs|js)$/, "");
}

/** `import … from`, `export … from`, `import "x"`, `import("x")`, and `import("x").Type`. */
const IMPORT =
  /\b(?:(import|export)\b(?:\s+(type)\b(?!\s*,|\s+from))?[^;"'`()=]*?\bfrom\s*|import\s*\(?\s*)(["'`])/g;

function importsOf(text: string, code: string): Import[] {
  return [...code.matchAll(IMPORT)].map((match) => {
    const start = match.index + match[0].length;
    const end = code.indexOf(match[3]!, start);
    return {
      specifier: text.slice(start, end),
      line: lineAt(text, match.index),
      typeOnly: match[2] === "type",
      late: match[0].includes("("),
    };
  });
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Every place where a pattern stands in code, not in a comment or text. The pattern must be global. */
export function placesOf(file: SourceFile, pattern: RegExp): number[] {
  return [...file.code.matchAll(pattern)].map(({ index }) => lineAt(file.text, index));
}

/** Path of the file that a relative specifier names; null for a package. */
export function resolveImport(from: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, ".ts");
}
