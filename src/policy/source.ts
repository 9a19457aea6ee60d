/** The text of a policy file before YAML: what may not even be parsed, and offsets as line and column. */
import type { Problem } from "../base/problem.js";
import { type Place, problemAt } from "./tree.js";

export interface SourceFile {
  /** From the root of the repository, with `/`: `policies/algobrain/healing.yaml`. */
  readonly path: string;
  readonly text: string;
}

/** Characters. Twenty times the largest policy of ours, and still checked within a second. */
const LENGTH_MAX = 256 * 1024;

export class Source {
  readonly path: string;
  readonly text: string;
  readonly #lineStarts: number[];

  constructor(file: SourceFile) {
    this.path = file.path;
    // A byte order mark says nothing in UTF-8 and would only shift the first column.
    this.text = file.text.startsWith("\uFEFF") ? file.text.slice(1) : file.text;
    this.#lineStarts = [0];
    if (this.text.length > LENGTH_MAX) return;
    for (const match of this.text.matchAll(/\r\n|\n|\r/g))
      this.#lineStarts.push(match.index + match[0].length);
  }

  place(offset: number): Place {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#lineStarts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.path, line: low + 1, column: offset - this.#lineStarts[low]! + 1 };
  }
}

/** Why this text is not given to the YAML parser at all; null when it may be. */
export function refuseSource(source: Source): Problem | null {
  const { text } = source;
  if (text.length > LENGTH_MAX) {
    const size = Math.ceil(text.length / 1024);
    return problemAt(source.place(0), `found a file of ${size} KiB, expected at most 256 KiB`);
  }
  const nul = text.indexOf("\0");
  if (nul !== -1)
    return problemAt(
      source.place(nul),
      "found a NUL character, expected UTF-8 text",
      "a UTF-16 file looks like this: save it as UTF-8",
    );
  const broken = text.indexOf("\uFFFD");
  if (broken !== -1)
    return problemAt(
      source.place(broken),
      "found bytes that are not UTF-8, expected UTF-8 text",
      "save the file as UTF-8",
    );
  return null;
}

const QUOTE_NAMES: Readonly<Record<string, string>> = {
  '"': "a double quote",
  "'": "a single quote",
};

/**
 * Offset and kind of the quote or bracket that is still open at `end`. The parser only notices lines
 * later; the person has to look at where it began. A quote opens only where a value may begin.
 */
export function openDelimiter(text: string, end: number): { at: number; name: string } | null {
  const brackets: number[] = [];
  let at = 0;
  while (at < end) {
    const character = text[at]!;
    if (character === "#" && isAfterSpace(text, at)) {
      at = endOfLine(text, at);
    } else if (character in QUOTE_NAMES && mayBeginValue(text, at)) {
      const close = closingQuote(text, at);
      if (close === -1 || close >= end) return { at, name: QUOTE_NAMES[character]! };
      at = close + 1;
    } else {
      if ((character === "[" || character === "{") && mayBeginValue(text, at)) brackets.push(at);
      else if ((character === "]" || character === "}") && brackets.length > 0) brackets.pop();
      at += 1;
    }
  }
  const bracket = brackets.at(-1);
  return bracket === undefined ? null : { at: bracket, name: `"${text[bracket]}"` };
}

function isAfterSpace(text: string, at: number): boolean {
  return at === 0 || /\s/.test(text[at - 1]!);
}

function mayBeginValue(text: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && (text[before] === " " || text[before] === "\t")) before -= 1;
  if (before < 0) return true;
  const previous = text[before]!;
  if ("\n\r[{,".includes(previous)) return true;
  return (previous === ":" || previous === "-" || previous === "?") && before < at - 1;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

/** A quoted scalar of a policy never needs a second line, so the end of the line leaves it open. */
function closingQuote(text: string, open: number): number {
  const quote = text[open]!;
  for (let at = open + 1; at < text.length && text[at] !== "\n"; at++) {
    if (quote === '"' && text[at] === "\\") at += 1;
    else if (text[at] === quote) {
      if (quote === "'" && text[at + 1] === "'") at += 1;
      else return at;
    }
  }
  return -1;
}
