/**
 * Jobs that are claimed and wait for a slot of this process, by kind, first come first served. They do not
 * wait for long: what could not be started in time goes back, for others have slots too.
 */
import type { HeldJob } from "../job/job.js";

interface Waiting {
  readonly job: HeldJob;
  /** Of the monotonic clock. */
  readonly sinceMs: number;
}

export class JobBuffer {
  readonly #queues = new Map<string, Waiting[]>();

  push(job: HeldJob, nowMs: number): void {
    const queue = this.#queues.get(job.kind);
    const waiting = { job, sinceMs: nowMs };
    if (queue) queue.push(waiting);
    else this.#queues.set(job.kind, [waiting]);
  }

  /** The first of the kind that may start; the others keep their places. */
  next(kind: string, mayStart: (job: HeldJob) => boolean): HeldJob | undefined {
    const queue = this.#queues.get(kind);
    if (queue === undefined) return undefined;
    const index = queue.findIndex(({ job }) => mayStart(job));
    if (index < 0) return undefined;
    const [taken] = index === 0 ? [queue.shift()] : queue.splice(index, 1);
    return taken?.job;
  }

  kinds(): string[] {
    return [...this.#queues].filter(([, queue]) => queue.length > 0).map(([kind]) => kind);
  }

  jobs(): HeldJob[] {
    return [...this.#queues.values()].flatMap((queue) => queue.map(({ job }) => job));
  }

  /** Takes out those of whom the test is true. */
  take(test: (job: HeldJob, sinceMs: number) => boolean): HeldJob[] {
    const taken: HeldJob[] = [];
    for (const [kind, queue] of this.#queues) {
      const kept = queue.filter((waiting) => {
        const out = test(waiting.job, waiting.sinceMs);
        if (out) taken.push(waiting.job);
        return !out;
      });
      this.#queues.set(kind, kept);
    }
    return taken;
  }
}
