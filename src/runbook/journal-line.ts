/**
 * The journal's form on disk: a line of JSON an entry, each with the digest of itself and of the line before. So a torn
 * end, a line that was cut out and a byte that was changed are seen, and nothing behind such a place is believed.
 */
import { createHash } from "node:crypto";
import { isJsonObject } from "../base/json.js";
import type { JournalEntry } from "./journal.js";

/** Of the form of a line; another one is not read. */
const VERSION = 1;
/** What stands before the first line of a file. */
export const JOURNAL_START = "";

/** An entry with its place and its time of writing. */
export interface JournalLine {
  /** Of its file, from 1. */
  readonly n: number;
  /** ISO 8601, by the clock of the machine. */
  readonly at: string;
  readonly entry: JournalEntry;
}

export interface JournalRead {
  readonly lines: readonly JournalLine[];
  /** Sum of the last line that holds: the next one builds on it. */
  readonly sum: string;
  /**
   * `torn`: the last line has no end, as a power cut leaves it; its sender was never told that it is kept.
   * `broken`: a line does not fit the one before; it and all behind it are not believed. Null: all holds.
   */
  readonly trouble: { readonly kind: "torn" | "broken"; readonly line: number } | null;
}

/** The line with its line feed, and its sum. `before`: that of the line before, or `JOURNAL_START`. */
export function formatLine(line: JournalLine, before: string): { text: string; sum: string } {
  const { n, at, entry } = line;
  const body = JSON.stringify({ v: VERSION, n, at, ...entry });
  const sum = sumOf(before, body);
  return { text: `${body.slice(0, -1)},"sum":"${sum}"}\n`, sum };
}

/** All that holds, and where it ends. Never throws: whatever is on the disk is an answer. */
export function readLines(text: string): JournalRead {
  const lines: JournalLine[] = [];
  let sum = JOURNAL_START;
  const parts = text.split("\n");
  const rest = parts.pop() ?? "";
  for (const part of parts) {
    const read = parseLine(part, sum, lines.length + 1);
    if (read === null) return { lines, sum, trouble: { kind: "broken", line: lines.length + 1 } };
    lines.push(read.line);
    sum = read.sum;
  }
  const trouble = rest === "" ? null : ({ kind: "torn", line: lines.length + 1 } as const);
  return { lines, sum, trouble };
}

const SUM_END = /^(\{.*),"sum":"([0-9a-f]{64})"\}$/;

function parseLine(
  text: string,
  before: string,
  n: number,
): { line: JournalLine; sum: string } | null {
  const [, head, sum] = SUM_END.exec(text) ?? [];
  if (head === undefined || sum === undefined || sumOf(before, `${head}}`) !== sum) return null;
  const value = parseObject(`${head}}`);
  if (value === null || value.v !== VERSION || value.n !== n) return null;
  const { v: _, n: __, at, ...entry } = value;
  if (typeof at !== "string" || !isEntry(entry)) return null;
  return { line: { n, at, entry }, sum };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    // Not written by us: the caller says where.
    return null;
  }
}

const TEXTS: Readonly<Record<JournalEntry["kind"], readonly string[]>> = {
  inbound: ["source", "deliveryId", "eventType"],
  page: ["dedupKey", "title", "severity", "reference"],
  order: ["order", "by", "reason"],
  "terminal-run": ["runbook", "by", "outcome"],
};

/** The sum says that we wrote it; this says that this version understands it. */
function isEntry(value: Record<string, unknown>): value is Record<string, unknown> & JournalEntry {
  const { kind, key } = value;
  if (typeof kind !== "string" || typeof key !== "string" || !Object.hasOwn(TEXTS, kind))
    return false;
  const texts = TEXTS[kind as JournalEntry["kind"]];
  if (!texts.every((name) => typeof value[name] === "string")) return false;
  if (kind === "inbound") return isJsonObject(value.body);
  return kind !== "terminal-run" || isJsonObject(value.params);
}

function sumOf(before: string, body: string): string {
  return createHash("sha256").update(before).update(body).digest("hex");
}
