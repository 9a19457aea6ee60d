/** One value replaced in the text of a file, or one key added behind its last sibling, in the style of the place. */
import type { Problem } from "../base/problem.js";
import { printKey, printScalar } from "./print.js";
import type { SourceFile } from "./source.js";
import { type MapNode, type Node, problemAt, type Scalar } from "./tree.js";

const LINE_END = /\r\n|\n|\r/;

export interface TextEdit {
  /** The whole new text. */
  readonly text: string;
  /** 1-based, in the new text: the only line that is different. */
  readonly line: number;
  /** That line without its end; empty when it is new. */
  readonly before: string;
  readonly after: string;
}

/** @param flow whether it stands in brackets or braces */
export function replaceValue(
  { text }: SourceFile,
  node: Node,
  [value, flow]: readonly [Scalar, boolean],
): TextEdit | Problem {
  const span = node.kind === "scalar" ? node.span : undefined;
  const mark = text.startsWith("\uFEFF") ? 1 : 0;
  const written = span && text.slice(span.start + mark, span.end + mark);
  if (node.kind !== "scalar" || !span || written === undefined || LINE_END.test(written))
    return problemAt(node.place, "found a text of several lines, expected one", "edit it by hand");
  const printed = node.value === value ? written : printLike(written, value, flow);
  const changed = text.slice(0, span.start + mark) + printed + text.slice(span.end + mark);
  return { text: changed, ...linesAt(text, changed, node.place.line) };
}

/** Quoted texts stay quoted, and in the same way. */
function printLike(written: string, value: Scalar, flow: boolean): string {
  if (typeof value !== "string") return printScalar(value, flow);
  const isPlain = !/\p{Cc}/u.test(value);
  if (written.startsWith("'") && isPlain) return `'${value.replaceAll("'", "''")}'`;
  const printed = printScalar(value, flow);
  return written.startsWith('"') && !printed.startsWith('"') ? JSON.stringify(value) : printed;
}

/** @param flow whether the map stands in braces itself, or inside some. */
export function addKey(
  { text }: SourceFile,
  map: MapNode,
  key: string,
  [value, flow]: readonly [Scalar, boolean],
): TextEdit | Problem {
  const entry = `${printKey(key, flow)}: ${printScalar(value, flow)}`;
  return flow ? addInBraces(text, map, entry) : addLine(text, map, entry);
}

function addInBraces(written: string, map: MapNode, entry: string): TextEdit | Problem {
  const mark = written.startsWith("\uFEFF") ? 1 : 0;
  const source = written.slice(mark);
  const last = [...map.entries.values()].at(-1);
  const start = map.layout?.start;
  const end = last ? endOf(source, last.node) : start === undefined ? null : start + 1;
  if (end === null)
    return problemAt(map.place, "found braces whose end is not plain", "edit it by hand");
  const added = last ? `, ${entry}` : ` ${entry} `;
  const text = written.slice(0, mark) + source.slice(0, end) + added + source.slice(end);
  return { text, ...linesAt(written, text, source.slice(0, end).split(LINE_END).length) };
}

/** What a line was and what it is. */
function linesAt(
  before: string,
  after: string,
  line: number,
): Pick<TextEdit, "line" | "before" | "after"> {
  const lineOf = (text: string) => text.split(LINE_END)[line - 1] ?? "";
  return { line, before: lineOf(before), after: lineOf(after) };
}

/** The offset behind a value in braces; null when it is not certain. */
function endOf(source: string, node: Node): number | null {
  if (node.kind === "scalar") return node.span?.end ?? null;
  const start = node.layout?.start;
  if (start === undefined) return null;
  const last = node.kind === "list" ? node.items.at(-1) : [...node.entries.values()].at(-1)?.node;
  const inner = last ? endOf(source, last) : start + 1;
  if (inner === null) return null;
  const [closing] = /^\s*,?\s*[\]}]/.exec(source.slice(inner)) ?? [];
  return closing === undefined ? null : inner + closing.length;
}

function addLine(written: string, map: MapNode, entry: string): TextEdit | Problem {
  const last = [...map.entries.values()].at(-1);
  if (last === undefined) return problemAt(map.place, "found nothing to put it behind");
  const lines = splitLines(written);
  const indent = last.key.column - 1;
  const end = lastLine(lines, Math.max(last.key.line, lastPlace(last.node)), indent);
  const ending = lines.find(({ end }) => end !== "")?.end ?? "\n";
  const before = lines[end - 1]!;
  const grown = [
    ...lines.slice(0, end - 1),
    { text: before.text, end: before.end || ending },
    { text: " ".repeat(indent) + entry, end: before.end },
    ...lines.slice(end),
  ];
  const text = grown.map((line) => line.text + line.end).join("");
  return { text, line: end + 1, before: "", after: grown[end]!.text };
}

interface Line {
  readonly text: string;
  /** As it stands in the file: `\n`, `\r\n`, or nothing on the last one. */
  readonly end: string;
}

function splitLines(text: string): Line[] {
  const lines = [...text.matchAll(/([^\r\n]*)(\r\n|\n|\r|$)/g)].map(([, line, end]) => ({
    text: line!,
    end: end!,
  }));
  // The pattern also matches the nothing behind the last line end.
  return lines.at(-1)?.text === "" && lines.length > 1 ? lines.slice(0, -1) : lines;
}

/** 1-based: the last line on which a key or value of this node begins. */
function lastPlace(node: Node): number {
  if (node.kind === "scalar") return node.place.line;
  const inner =
    node.kind === "list"
      ? node.items.map(lastPlace)
      : [...node.entries.values()].map((entry) => Math.max(entry.key.line, lastPlace(entry.node)));
  return Math.max(node.place.line, ...inner);
}

/** 1-based: where the value that begins on line `from` ends; deeper lines and closing brackets belong to it. */
function lastLine(lines: readonly Line[], from: number, indent: number): number {
  let end = from;
  for (let line = from; line < lines.length; line += 1) {
    const { text } = lines[line]!;
    if (text.trim() === "") continue;
    const depth = text.length - text.trimStart().length;
    if (depth <= indent && !/^\s*[\]}]/.test(text)) break;
    end = line + 1;
  }
  return end;
}
