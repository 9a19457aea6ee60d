/** Plain completions are written many at once: what gathers while one statement runs goes into the next. */
import { Fault } from "../base/fault.js";
import type { Json } from "../base/json.js";
import type { HeldJob } from "../job/job.js";
import type { Sql } from "../store/database.js";
import { settleJobs } from "../store/job-claims.js";

interface Waiting {
  readonly job: HeldJob;
  readonly result: Json;
  readonly resolve: (moved: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** One statement holds its rows' locks until the end, so it is kept short. */
const BATCH_MAX = 500;

export class Completions {
  readonly #db: Sql;
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(db: Sql) {
    this.#db = db;
  }

  /** False when the job was no longer ours. Rejects when its batch could not be written: nothing of it was. */
  complete(job: HeldJob, result: Json): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, result, resolve, reject });
      if (!this.#writing) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      await this.#write(this.#waiting.splice(0, BATCH_MAX));
    }
    this.#writing = false;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const moved = await settleJobs(
        this.#db,
        batch.map(({ job, result }) => ({ held: job, to: "completed" as const, result })),
      );
      for (const { job, resolve } of batch) resolve(moved.has(job.seq));
    } catch (error) {
      // One result that the database refuses must not spoil the others.
      if (batch.length > 1 && isRefusal(error)) for (const one of batch) await this.#write([one]);
      else for (const { reject } of batch) reject(error);
    }
  }
}

/** The server answered and refused a value: asking again gives the same answer. */
export function isRefusal(error: unknown): boolean {
  return !(error instanceof Fault) || error.code === "DATABASE_ERROR";
}
