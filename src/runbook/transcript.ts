/** What a step said and ran, bounded: the record of a run is for people, not a log store. */
const CHARACTERS_MAX = 64_000;

export class Transcript {
  readonly #lines: string[] = [];
  readonly #onLine: (line: string) => void;
  #characters = 0;
  #droppedLines = 0;

  constructor(onLine: (line: string) => void = () => {}) {
    this.#onLine = onLine;
  }

  add(line: string): void {
    // Postgres keeps no NUL in text, and no reader misses it.
    const clean = line.replaceAll("\0", "");
    if (this.#characters + clean.length > CHARACTERS_MAX) {
      this.#droppedLines++;
      return;
    }
    this.#characters += clean.length + 1;
    this.#lines.push(clean);
    this.#onLine(clean);
  }

  get text(): string {
    const more = this.#droppedLines > 0 ? [`… ${this.#droppedLines} more lines not kept`] : [];
    return [...this.#lines, ...more].join("\n");
  }
}
