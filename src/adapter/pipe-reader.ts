/**
 * Reads one output pipe of a child with back-pressure. A daemon that left the process group may hold the
 * pipe open for ever: after the program's exit, a silent pipe is given up, so that it cannot hang a step.
 */
import type { Readable } from "node:stream";

/** Silence after the program's exit that means nobody of ours writes any more. */
const SILENCE_MS = 250;

export class PipeReader {
  readonly #pipe: Readable;
  #isWaiting = false;
  #chunkCount = 0;
  #hasGivenUp = false;

  constructor(pipe: Readable) {
    this.#pipe = pipe;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    const iterator = this.#pipe[Symbol.asyncIterator]();
    try {
      for (;;) {
        this.#isWaiting = true;
        const next = await iterator.next();
        this.#isWaiting = false;
        if (next.done) return;
        this.#chunkCount++;
        yield next.value;
      }
    } catch (error) {
      // Destroying a pipe that is being read makes the read fail: that is how it was given up.
      if (!this.#hasGivenUp) throw error;
    } finally {
      // Also when the consumer walks away: an unread pipe would never close.
      this.#pipe.destroy();
    }
  }

  /** To be called once the program has ended. A slow consumer loses nothing: only unanswered reads count. */
  giveUpWhenSilent(): void {
    if (this.#pipe.destroyed) return;
    let seenCount = -1;
    const timer = setInterval(() => {
      if (!this.#isWaiting) return;
      if (seenCount === this.#chunkCount) {
        this.#hasGivenUp = true;
        this.#pipe.destroy();
      }
      seenCount = this.#chunkCount;
    }, SILENCE_MS / 2);
    this.#pipe.once("close", () => clearInterval(timer));
  }
}
