/** Lets a loop wait for a hint or a time, whichever comes first. A hint that came while busy is kept. */
import type { Clock } from "../base/clock.js";

/** Without a reason, an error with its stack is made for each of thousands of hints a second. */
const HINTED = "hinted";

export class Wake {
  readonly #clock: Clock;
  #pending = false;
  #wake: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hint(): void {
    this.#pending = true;
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  isHinted(): boolean {
    return this.#pending;
  }

  /** True when a hint ended the wait. */
  async wait(ms: number): Promise<boolean> {
    if (!this.#pending) await this.#hintedOrAfter(ms);
    const hinted = this.#pending;
    this.#pending = false;
    return hinted;
  }

  #hintedOrAfter(ms: number): Promise<void> {
    const over = new AbortController();
    return new Promise((resolve) => {
      // Who waits goes on first: to end the sleep costs more than all else on the way from a hint to its claim.
      const wake = () => {
        resolve();
        setImmediate(() => over.abort(HINTED));
      };
      this.#wake = wake;
      void this.#clock.sleep(ms, over.signal).then(() => {
        if (this.#wake === wake) this.#wake = null;
        resolve();
      });
    });
  }
}
