/**
 * A saved query of Logs Insights, read as far as its mistakes are worth: is every quote and bracket closed, is every
 * command one that exists, and is what it sorts by after a `stats` something that `stats` gave a name? Nothing
 * else tells: CloudWatch saves any text and refuses it when somebody asks at 3 a.m.
 */
import type { JsonObject } from "../src/base/json.js";
import { textOf } from "./limit-values.js";

/** "CloudWatch Logs Insights language query syntax". */
const COMMANDS = new Set([
  ...["fields", "display", "filter", "stats", "sort", "limit", "parse", "dedup", "unnest"],
  ...["pattern", "diff", "anomaly", "unmask", "lookup", "source", "filterindex"],
]);
const LIMIT_MAX = 10_000;
const OPENING: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };

export function queryDefinition({ query_string }: JsonObject): string[] {
  const text = textOf(query_string);
  if (text === null) return [];
  const { commands, open } = split(text);
  if (open !== null) return [`has a query in which ${open} is not closed`];
  return [...commands.flatMap(command), ...commands.flatMap((_, i) => sorted(commands, i))];
}

/** At each `|` outside quotes and brackets. */
function split(text: string): { commands: string[]; open: string | null } {
  const [commands, brackets]: [string[], string[]] = [[], []];
  let [quote, from] = ["", 0];
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quote !== "") {
      if (char === "\\") i++;
      else if (char === quote) quote = "";
    } else if (`"'\``.includes(char)) quote = char;
    else if ("([{".includes(char)) brackets.push(char);
    else if (char in OPENING && brackets.pop() !== OPENING[char]) return { commands, open: char };
    else if (char === "|" && brackets.length === 0) {
      commands.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  commands.push(text.slice(from).trim());
  return { commands, open: quote || (brackets.pop() ?? null) };
}

function command(text: string): string[] {
  const [word = ""] = text.split(/\s+/);
  if (!COMMANDS.has(word.toLowerCase()))
    return [`has a query with the command "${word}", which Logs Insights does not know`];
  const [, limit] = /^limit\s+(\S+)$/i.exec(text) ?? [];
  const count = Number(limit ?? 1);
  if (Number.isInteger(count) && count >= 1 && count <= LIMIT_MAX) return [];
  return [`has a query with "${text}"; Logs Insights takes limits of 1 to ${LIMIT_MAX}`];
}

/** After `stats` there are only the names that it gave and the fields that it grouped by. */
function sorted(commands: readonly string[], i: number): string[] {
  const [, field] = /^sort\s+(\S+)/i.exec(commands[i]!) ?? [];
  const stats = commands.slice(0, i).findLast((text) => /^stats\s/i.test(text));
  if (field === undefined || stats === undefined) return [];
  const [, grouped = ""] = /\sby\s+(.+)$/is.exec(stats) ?? [];
  const names = [
    ...[...stats.matchAll(/\sas\s+([\w.@]+)/gi)].map(([, name]) => name),
    ...grouped.split(",").map((name) => name.trim()),
  ];
  if (names.includes(field)) return [];
  return [`has a query that sorts by "${field}", to which its stats give no name`];
}
