/**
 * Waits for answers of the server, and gives up those that do not come: a server that hangs, or a network that swallows
 * what it says. One timer looks after all of them, for one each would be set and cleared with every statement.
 */

interface Open {
  readonly sinceMs: number;
  readonly giveUp: (error: Error) => void;
}

/** How exactly, as a share of the time that is waited. */
const LOOK_SHARE = 0.05;
const LOOK_MIN_MS = 10;
const LOOK_MAX_MS = 1_000;

export class Answers {
  readonly #giveUpMs: number;
  readonly #open = new Set<Open>();
  #looking: NodeJS.Timeout | null = null;

  /** `giveUpMs`: 0 for never. */
  constructor(giveUpMs: number) {
    this.#giveUpMs = giveUpMs;
  }

  /** Rejects with what `ask` answers as an error, or with a timeout. A late answer changes nothing. */
  to<T>(ask: (answer: (error: Error | null, value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const open = { sinceMs: performance.now(), giveUp: reject };
      this.#open.add(open);
      this.#look();
      ask((error, value) => {
        this.#open.delete(open);
        if (error) reject(error);
        else resolve(value);
      });
    });
  }

  #look(): void {
    if (this.#looking !== null || this.#giveUpMs === 0) return;
    const everyMs = Math.max(LOOK_MIN_MS, Math.min(this.#giveUpMs * LOOK_SHARE, LOOK_MAX_MS));
    // It keeps no process alive: the connection does.
    this.#looking = setInterval(() => this.#giveUpLate(), everyMs).unref();
  }

  #giveUpLate(): void {
    const nowMs = performance.now();
    for (const open of this.#open) {
      if (nowMs - open.sinceMs < this.#giveUpMs) continue;
      this.#open.delete(open);
      open.giveUp(new Error(`statement timeout: no answer in ${this.#giveUpMs} ms`));
    }
    if (this.#open.size > 0 || this.#looking === null) return;
    clearInterval(this.#looking);
    this.#looking = null;
  }
}
