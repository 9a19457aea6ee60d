/** One job's way to be stopped: the signal its handler sees, and the reason that decides its outcome. */
import type { StopReason } from "../job/outcome.js";

export class StopSwitch {
  #controller: AbortController | null = null;
  #reason: StopReason | null = null;
  #listener: (() => void) | null = null;
  /** The handler went on for longer than it may after a stop. */
  ignored = false;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== null) this.#abort();
    return this.#controller.signal;
  }

  get reason(): StopReason | null {
    return this.#reason;
  }

  /** Called with the first stop. */
  onStop(listener: () => void): void {
    this.#listener = listener;
    if (this.#reason !== null) listener();
  }

  /** The first reason counts, except that a lost job stays lost: then nothing may be written. */
  stop(reason: StopReason): void {
    const isFirst = this.#reason === null;
    if (isFirst || reason === "lost") this.#reason = reason;
    this.#abort();
    if (isFirst) this.#listener?.();
  }

  #abort(): void {
    this.#controller?.abort(new Error(`job stopped: ${this.#reason}`));
  }
}
