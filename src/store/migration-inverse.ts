/**
 * The inverse of a migration, for the closed set: add column, create index, create table (X-14).
 * `IF NOT EXISTS` is outside the set: the thing may have been there before, and is not ours to drop.
 */
export type Inverse =
  | { readonly ok: true; readonly statements: readonly string[] }
  /** The first statement that is outside the set, on one line. */
  | { readonly ok: false; readonly statement: string };

const NAME = String.raw`(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)`;
const PATH = String.raw`${NAME}(?:\.${NAME})?`;
const ALTER_TABLE = new RegExp(
  String.raw`^ALTER\s+TABLE\s+(?:ONLY\s+)?(?!IF\b)(${PATH})\s+(ADD\b[\s\S]*)$`,
  "i",
);
const NO_COLUMN = "CONSTRAINT|PRIMARY|FOREIGN|UNIQUE|CHECK|EXCLUDE|IF|COLUMN|GENERATED";
const ADD_COLUMN = new RegExp(
  String.raw`^ADD\s+(?:COLUMN\s+)?(?!(?:${NO_COLUMN})\b)(${NAME})\s+\S`,
  "i",
);
const CREATE_INDEX = new RegExp(
  String.raw`^CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!(?:IF|ON|CONCURRENTLY)\b)(${NAME})\s+ON\s+(?:ONLY\s+)?(${PATH})\b`,
  "i",
);
const CREATE_TABLE = new RegExp(String.raw`^CREATE\s+TABLE\s+(?!IF\b)(${PATH})\s*\(`, "i");

/** The undoing statements, last thing first. */
export function deriveInverse(sql: string): Inverse {
  const statements: string[] = [];
  for (const statement of splitTopLevel(withoutComments(sql), ";")) {
    const undone = invert(statement);
    if (undone === null) return { ok: false, statement: statement.replaceAll(/\s+/g, " ") };
    statements.unshift(...undone);
  }
  return { ok: true, statements };
}

function invert(statement: string): string[] | null {
  const table = CREATE_TABLE.exec(statement);
  if (table) return [`DROP TABLE ${table[1]}`];
  const index = CREATE_INDEX.exec(statement);
  if (index) return [`DROP INDEX ${schemaOf(index[2]!)}${index[1]}`];
  const alter = ALTER_TABLE.exec(statement);
  if (!alter) return null;
  const columns = splitTopLevel(alter[2]!, ",").map((action) => ADD_COLUMN.exec(action)?.[1]);
  if (columns.some((column) => column === undefined)) return null;
  return columns.reverse().map((column) => `ALTER TABLE ${alter[1]} DROP COLUMN ${column}`);
}

/** An index lives in the schema of its table. */
function schemaOf(table: string): string {
  const dot = /^("(?:[^"]|"")+"|[^".]+)\./.exec(table);
  return dot ? dot[0] : "";
}

/** Quoted text, dollar-quoted text, comments, and single characters, in the order of looking. */
const TOKEN =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\/|[\s\S]/g;

function withoutComments(sql: string): string {
  return sql.replaceAll(TOKEN, (token) =>
    token.startsWith("--") || token.startsWith("/*") ? " " : token,
  );
}

/** Splits outside quotes and parentheses; empty parts are left out. */
function splitTopLevel(text: string, separator: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "(") depth += 1;
    if (token === ")") depth -= 1;
    if (token === separator && depth === 0) parts.push("");
    else parts[parts.length - 1] += token;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}
