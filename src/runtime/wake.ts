/** Lets a loop wait for a hint or a time, whichever comes first. A hint that came while busy is kept. */
import type { Clock } from "../base/clock.js";

export class Wake {
  readonly #clock: Clock;
  #pending = false;
  #wake: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hint(): void {
    this.#pending = true;
    this.#wake?.();
  }

  isHinted(): boolean {
    return this.#pending;
  }

  /** True when a hint ended the wait. */
  async wait(ms: number): Promise<boolean> {
    if (!this.#pending) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await this.#clock.sleep(ms, woken.signal);
      this.#wake = null;
    }
    const hinted = this.#pending;
    this.#pending = false;
    return hinted;
  }
}
