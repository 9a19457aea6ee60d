/**
 * Bytes in any chunks become whole, decoded, redacted lines. A character or a secret that is split over
 * two chunks comes out as one; a line without end is cut, so memory stays bounded.
 */
import { StringDecoder } from "node:string_decoder";
import type { Redact } from "../base/redact.js";

/** Characters of one line. Longer lines are no text for people; the rest of such a line is dropped. */
const LINE_MAX = 256 * 1024;
/** The tail of a cut line may hold the beginning of a secret: this much of it goes, too. */
const SECRET_MAX = 8 * 1024;
const CUT = " …[line cut]";

export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #redact: Redact;
  #rest = "";
  #isCutting = false;

  constructor(redact: Redact) {
    this.#redact = redact;
  }

  /** The lines that this chunk completes, without their newline. */
  *push(chunk: Buffer): Generator<string> {
    yield* this.#split(this.#decoder.write(chunk));
  }

  /** The last line, when it had no newline. */
  *end(): Generator<string> {
    yield* this.#split(this.#decoder.end());
    if (this.#rest !== "") yield this.#redact(this.#rest);
    this.#rest = "";
  }

  *#split(text: string): Generator<string> {
    let start = 0;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", start)) {
      const line = this.#rest + text.slice(start, at);
      this.#rest = "";
      start = at + 1;
      if (this.#isCutting) this.#isCutting = false;
      else yield this.#redact(line);
    }
    yield* this.#keep(text.slice(start));
  }

  *#keep(text: string): Generator<string> {
    if (this.#isCutting) return;
    this.#rest += text;
    if (this.#rest.length <= LINE_MAX) return;
    const head = this.#redact(this.#rest).slice(0, LINE_MAX - SECRET_MAX);
    this.#rest = "";
    this.#isCutting = true;
    yield head + CUT;
  }
}

/** Keeps whole lines up to a number of bytes, and counts what it dropped. */
export class TextKeeper {
  readonly #bytesMax: number;
  readonly #lines: string[] = [];
  #keptBytes = 0;
  #droppedBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#droppedBytes > 0 || this.#keptBytes + bytes > this.#bytesMax) {
      this.#droppedBytes += bytes;
      return;
    }
    this.#lines.push(line);
    this.#keptBytes += bytes;
  }

  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /** Every line with its newline. */
  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }
}
