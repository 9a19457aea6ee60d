/** All runbooks by name and short form, each with the digest of its file: what was asked for is what runs. */
import { didYouMean } from "../base/similar.js";
import type { RunbookChange } from "./authors.js";
import type { Runbook } from "./define.js";

/** Words of the doors: no runbook is called so. */
const RESERVED_WORDS: readonly string[] = [
  ...["help", "runs", "locks", "approve", "deny", "cancel", "undo", "stop", "resume-runbooks"],
];

export interface RegisteredRunbook {
  readonly runbook: Runbook;
  /** SHA-256 of the file, in hex. A run is pinned to it. */
  readonly contentHash: string;
  /** Its last change, as its build has found it in Git; null or absent: not known. */
  readonly change?: RunbookChange | null | undefined;
}

export class RunbookRegistry {
  readonly #byName = new Map<string, RegisteredRunbook>();
  readonly #byWord = new Map<string, RegisteredRunbook>();

  constructor(entries: readonly RegisteredRunbook[]) {
    for (const entry of entries) {
      this.#byName.set(entry.runbook.name, entry);
      for (const word of [entry.runbook.name, ...entry.runbook.aliases]) {
        if (RESERVED_WORDS.includes(word) || /^run-\d+$/.test(word))
          throw new Error(`"${word}" is a word of the doors: ${entry.runbook.name} needs another`);
        const other = this.#byWord.get(word);
        if (other)
          throw new Error(
            `"${word}" names two runbooks: ${other.runbook.name}, ${entry.runbook.name}`,
          );
        this.#byWord.set(word, entry);
      }
    }
  }

  /** By name or short form. */
  find(word: string): RegisteredRunbook | undefined {
    return this.#byWord.get(word);
  }

  /** In the order of their names. */
  list(): RegisteredRunbook[] {
    return [...this.#byName.values()].sort((a, b) => (a.runbook.name < b.runbook.name ? -1 : 1));
  }

  /** "did you mean …?", or undefined when nothing is near. */
  hintFor(word: string): string | undefined {
    return didYouMean(word, this.#byWord.keys());
  }
}
