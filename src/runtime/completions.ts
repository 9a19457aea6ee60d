/** Plain completions are written many at once: what gathers while one statement runs goes into the next. */
import type { Json } from "../base/json.js";
import type { HeldJob } from "../job/job.js";
import { isStatementRefused, type Sql } from "../store/database.js";
import { completeJobs } from "../store/job-settle.js";

/** `moved` false: the job was no longer ours. An error: its batch could not be written, and nothing of it was. */
export type Completed = (error: unknown, moved: boolean) => void;

interface Waiting {
  readonly job: HeldJob;
  readonly result: Json;
  readonly done: Completed;
}

/** One statement holds its rows' locks until the end, so it is kept short. */
const BATCH_MAX = 1_000;
/** As many are not kept waiting for the next turn of the loop. */
const BATCH_NOW = 500;

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
      this.write(job, result, (error, moved) => (error ? reject(error) : resolve(moved)));
    });
  }

  /** As `complete`, and nothing is kept of a job but this: promises of thousands that wait are what collecting garbage costs. */
  write(job: HeldJob, result: Json, done: Completed): void {
    this.#waiting.push({ job, result, done });
    if (this.#writing) return;
    if (this.#waiting.length >= BATCH_NOW) void this.#writeAll();
    else if (this.#waiting.length === 1) setImmediate(() => void this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#waiting.length > 0) {
      await this.#write(this.#waiting.splice(0, BATCH_MAX));
    }
    this.#writing = false;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const completions = batch.map(({ job, result }) => ({ held: job, result }));
      const late = await completeJobs(this.#db, completions);
      for (const { job, done } of batch) done(null, late.length === 0 || !late.includes(job));
    } catch (error) {
      // One result that the database refuses must not spoil the others.
      if (batch.length > 1 && isStatementRefused(error))
        for (const one of batch) await this.#write([one]);
      else for (const { done } of batch) done(error, false);
    }
  }
}
