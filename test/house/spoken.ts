/** What the code says to the outside by name: error codes, log events, environment variables. */
import { lineAt, type SourceFile } from "./source-tree.js";

export interface Said {
  readonly name: string;
  readonly path: string;
  readonly line: number;
}

export interface LogEvent extends Said {
  readonly level: string | null;
  readonly fields: readonly string[];
}

const FAULT = /\b(?:fault\s*\.\s*\w+\s*\(|new\s+Fault\s*\(\s*[^,]+,)/g;
const LOG_CALL = /\b\w*[lL]og(?:ger)?\s*\.\s*(debug|info|warn|error)\s*\(/g;
const EMITTED = /\bevent\s*:\s*(?=["'])/g;
const LEVEL_OF = /"([a-z-]+(?:\.[a-z-]+)+)":\s*"(debug|info|warn|error)"/g;
const EVENT_NAME = /^[a-z][a-z-]*(\.[a-z][a-z-]*)+$/;

/** Codes of `fault.kind("CODE", …)` and `new Fault(kind, "CODE", …)`; `${system}_FAILED` reads `*_FAILED`. */
export function errorCodes(file: SourceFile): Said[] {
  return [...file.code.matchAll(FAULT)].flatMap(({ index, 0: call }) => {
    const argument = argumentAt(file, index + call.length);
    return textsIn(file, argument.start, argument.end)
      .filter((code) => /^[A-Z*][A-Z0-9_*]*$/.test(code))
      .map((name) => ({ name, path: file.path, line: lineAt(file.text, index) }));
  });
}

/** Events of log calls with a literal name, and of `emit({ event: "…" })`. */
export function logEvents(file: SourceFile): LogEvent[] {
  return [...loggedEvents(file), ...emittedEvents(file)];
}

function loggedEvents(file: SourceFile): LogEvent[] {
  return [...file.code.matchAll(LOG_CALL)].flatMap(({ index, 0: call, 1: level }) => {
    const name = argumentAt(file, index + call.length);
    const fields = argumentAt(file, name.end + 1);
    return textsIn(file, name.start, name.end).map((event) => ({
      name: event,
      path: file.path,
      line: lineAt(file.text, index),
      level: level!,
      fields: file.code[name.end] === "," ? keysOf(file, fields.start, fields.end) : [],
    }));
  });
}

function emittedEvents(file: SourceFile): LogEvent[] {
  return [...file.code.matchAll(EMITTED)].flatMap(({ index, 0: key }) => {
    const value = argumentAt(file, index + key.length);
    const opening = file.code.lastIndexOf("{", index);
    const body = argumentAt(file, opening + 1, "}");
    return textsIn(file, value.start, value.end)
      .filter((event) => EVENT_NAME.test(event))
      .map((event) => ({
        name: event,
        path: file.path,
        line: lineAt(file.text, index),
        level: null,
        fields: keysOf(file, opening, body.end + 1).filter((field) => field !== "event"),
      }));
  });
}

/** `"job.claimed": "debug"`: a table that gives emitted events their level. */
export function eventLevels(file: SourceFile): Map<string, string> {
  return new Map([...file.text.matchAll(LEVEL_OF)].map(([, event, level]) => [event!, level!]));
}

export function isEventName(name: string): boolean {
  return EVENT_NAME.test(name);
}

/** Literals that look like variables; `WORKER_CONCURRENCY_${kind}` reads `WORKER_CONCURRENCY_*`. */
export function environmentNames(file: SourceFile): Said[] {
  const quotes = [...file.code.matchAll(/["'`]/g)].map(({ index }) => index);
  const names = textsIn(file, 0, file.code.length);
  return names
    .map((name, i) => ({ name, path: file.path, line: lineAt(file.text, quotes[i * 2] ?? 0) }))
    .filter(({ name }) => /^([A-Z][A-Z0-9]*(_[A-Z0-9*]+)+|HOST|PORT)$/.test(name));
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** From a position to the comma or bracket that ends the argument there. */
function argumentAt(file: SourceFile, start: number, until = ""): Span {
  let depth = 0;
  for (let i = start; i < file.code.length; i++) {
    const char = file.code[i]!;
    if ("([{".includes(char)) depth++;
    if (")]}".includes(char) && depth-- === 0) return { start, end: i };
    if (depth === 0 && until === "" && (char === "," || char === ";")) return { start, end: i };
  }
  return { start, end: file.code.length };
}

/** The texts that stand between two positions, with `*` for every interpolation. */
function textsIn(file: SourceFile, start: number, end: number): string[] {
  const texts: string[] = [];
  for (let i = start; i < end; i++) {
    const quote = file.code[i]!;
    if (!`"'\``.includes(quote)) continue;
    const close = file.code.indexOf(quote, i + 1);
    texts.push(file.text.slice(i + 1, close).replace(/\$\{[^}]*\}/g, "*"));
    i = close;
  }
  return texts;
}

/** Top-level keys of an object literal; `…` for a spread. */
function keysOf(file: SourceFile, start: number, end: number): string[] {
  const open = file.code.indexOf("{", start);
  if (open === -1 || open >= end) return file.code.slice(start, end).trim() === "" ? [] : ["…"];
  const keys: string[] = [];
  let at = open + 1;
  while (at < end) {
    const part = argumentAt(file, at);
    const text = file.code.slice(part.start, part.end).trim();
    if (text.startsWith("...")) keys.push("…");
    else if (/^(readonly\s+)?\w+/.test(text)) keys.push(text.match(/^(?:readonly\s+)?(\w+)/)![1]!);
    if (!",;".includes(file.code[part.end] ?? "")) break;
    at = part.end + 1;
  }
  return keys;
}
