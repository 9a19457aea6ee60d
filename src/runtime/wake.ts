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
    if (!this.#pending) {
      const woken = new AbortController();
      this.#wake = () => woken.abort(HINTED);
      await this.#clock.sleep(ms, woken.signal);
      this.#wake = null;
    }
    const hinted = this.#pending;
    this.#pending = false;
    return hinted;
  }
}
