/** Remembers which repeated works of this process failed: what a canary is judged by. */
import type { RuntimeEvent } from "./events.js";

export interface FailedTick {
  readonly tick: string;
  readonly error: string;
}

/** More than these at once say nothing more. */
const KEPT = 100;

export class FailedTicks {
  #count = 0;
  #newest: readonly FailedTick[] = [];

  /** A listener for `createEmit`. */
  readonly observe = (happened: RuntimeEvent): void => {
    if (happened.event !== "tick.failed") return;
    const { tick, error } = happened;
    this.#count += 1;
    this.#newest = [...this.#newest, { tick, error }].slice(-KEPT);
  };

  /** How many so far: to be handed to `since`. */
  count(): number {
    return this.#count;
  }

  since(count: number): readonly FailedTick[] {
    const more = Math.min(this.#count - count, KEPT);
    return more === 0 ? [] : this.#newest.slice(-more);
  }
}
