/**
 * Jobs that are enqueued at the same time share a statement and its commit; each caller is answered after it. A
 * job that comes alone goes at once.
 */
import { isStatementRefused } from "./database.js";

interface Waiting<Job, Enqueued> {
  readonly job: Job;
  readonly resolve: (enqueued: Enqueued) => void;
  readonly reject: (error: unknown) => void;
}

const BATCH_MAX = 500;

export class EnqueueBatch<Job, Enqueued> {
  readonly #write: (jobs: readonly Job[]) => Promise<Enqueued[]>;
  #waiting: Waiting<Job, Enqueued>[] = [];
  #writing = false;

  constructor(write: (jobs: readonly Job[]) => Promise<Enqueued[]>) {
    this.#write = write;
  }

  enqueue(job: Job): Promise<Enqueued> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      if (this.#writing) return;
      this.#writing = true;
      // After whoever enqueues in the same breath.
      queueMicrotask(() => void this.#writeAll());
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#writeOne(this.#waiting.splice(0, BATCH_MAX));
      // Who was just answered may enqueue again at once: the next batch takes them along.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#writing = false;
  }

  async #writeOne(batch: readonly Waiting<Job, Enqueued>[]): Promise<void> {
    try {
      const enqueued = await this.#write(batch.map(({ job }) => job));
      for (const [index, { resolve }] of batch.entries()) resolve(enqueued[index]!);
    } catch (error) {
      // One payload that the database refuses must not spoil the others.
      if (batch.length > 1 && isStatementRefused(error))
        for (const one of batch) await this.#writeOne([one]);
      else for (const { reject } of batch) reject(error);
    }
  }
}
