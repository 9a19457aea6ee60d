/** One job's way to be stopped: the signal its handler sees, and the reason that decides its outcome. */
import type { StopReason } from "../job/outcome.js";

export class StopSwitch {
  readonly #controller = new AbortController();
  #reason: StopReason | null = null;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get reason(): StopReason | null {
    return this.#reason;
  }

  /** The first reason counts, except that a lost job stays lost: then nothing may be written. */
  stop(reason: StopReason): void {
    if (this.#reason === null || reason === "lost") this.#reason = reason;
    this.#controller.abort(new Error(`job stopped: ${this.#reason}`));
  }
}
