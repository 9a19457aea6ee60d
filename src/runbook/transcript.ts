/** What a step said and ran, bounded: the record of a run is for people, not a log store. */
import type { RunLine } from "./run.js";

const CHARACTERS_MAX = 64_000;

export type LineStream = RunLine["stream"];

export class Transcript {
  /** Who ended the last program of the step; null: it ran none. */
  endedBy: "exit" | "timeout" | "abort" | null = null;
  readonly #lines: string[] = [];
  readonly #redact: (text: string) => string;
  readonly #onLine: (line: string, stream: LineStream) => void;
  #characters = 0;
  #droppedLines = 0;

  constructor(
    redact: (text: string) => string = (text) => text,
    onLine: (line: string, stream: LineStream) => void = () => {},
  ) {
    this.#redact = redact;
    this.#onLine = onLine;
  }

  add(text: string, stream: LineStream = "say"): void {
    // Postgres keeps no NUL in text, and no reader misses it.
    const clean = this.#redact(text.replaceAll("\0", ""));
    for (const line of clean.split("\n")) this.#onLine(line, stream);
    if (this.#characters + clean.length > CHARACTERS_MAX) {
      this.#droppedLines++;
      return;
    }
    this.#characters += clean.length + 1;
    this.#lines.push(clean);
  }

  get text(): string {
    const more = this.#droppedLines > 0 ? [`… ${this.#droppedLines} more lines not kept`] : [];
    return [...this.#lines, ...more].join("\n");
  }
}
