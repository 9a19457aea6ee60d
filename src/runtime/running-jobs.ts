/** The jobs that this process runs now: started, followed to their settled end, stopped when told. */
import { errorMessage } from "../base/fault.js";
import type { HeldJob } from "../job/job.js";
import type { StopReason } from "../job/outcome.js";
import { ofJob } from "./events.js";
import { executeJob } from "./execute.js";
import type { KindRules } from "./kind-rules.js";
import { type SettleDeps, settleJob } from "./settle.js";
import type { Slots } from "./slots.js";
import { StopSwitch } from "./stop-switch.js";

interface Running {
  readonly job: HeldJob;
  readonly stop: StopSwitch;
  executing: boolean;
  settled: Promise<void> | null;
}

export interface RunningJobsDeps extends SettleDeps {
  readonly slots: Slots;
  readonly rulesOf: (kind: string) => KindRules;
  /** A slot became free. */
  readonly onSlotFree: (kind: string) => void;
  /** A job can neither be settled nor failed: the process must end, and others heal the job. */
  readonly onFatal: (why: string) => void;
}

export class RunningJobs {
  readonly #deps: RunningJobsDeps;
  readonly #running = new Set<Running>();

  constructor(deps: RunningJobsDeps) {
    this.#deps = deps;
  }

  /** Takes a slot and returns at once. */
  start(job: HeldJob): void {
    // A job that comes again was reset meanwhile: its former handler works for nobody.
    this.stop([job.seq], "lost");
    const { slots, emit, workerIdOf, clock } = this.#deps;
    slots.take(job.kind);
    const waited_ms = clock.now().getTime() - job.createdAt.getTime();
    emit({ event: "job.claimed", ...ofJob(job, workerIdOf(job.kind)), waited_ms });
    const running: Running = { job, stop: new StopSwitch(), executing: true, settled: null };
    this.#running.add(running);
    running.settled = this.#follow(running);
  }

  /** Those whose handler still runs for us. */
  executing(): HeldJob[] {
    return [...this.#running]
      .filter(({ executing, stop }) => executing && stop.reason !== "lost")
      .map(({ job }) => job);
  }

  /** Those whose row we are not done with: also those whose outcome is being written. */
  seqs(): number[] {
    return [...this.#running].map(({ job }) => job.seq);
  }

  stop(seqs: readonly number[], reason: StopReason): void {
    for (const { job, stop } of this.#running) if (seqs.includes(job.seq)) stop.stop(reason);
  }

  /** Resolves when all that run now are settled. */
  async settled(): Promise<void> {
    await Promise.all([...this.#running].map(({ settled }) => settled));
  }

  async #follow(running: Running): Promise<void> {
    const { job, stop } = running;
    const { clock, rulesOf, onFatal } = this.#deps;
    const startedMs = clock.now().getTime();
    const execution = { job, rules: rulesOf(job.kind), stop, declared: { any: false } };
    const outcome = await executeJob(execution, this.#deps);
    running.executing = false;
    // The next may start while the outcome is written; but one at a time is so in the rows too (HB-env-12).
    const isAlone = execution.rules.concurrency === 1;
    if (!isAlone) this.#freeSlot(job.kind);
    const durationMs = clock.now().getTime() - startedMs;
    try {
      await settleJob({ execution, outcome, durationMs }, this.#deps);
    } catch (error) {
      onFatal(`${job.id} cannot be settled: ${errorMessage(error)}`);
    } finally {
      if (isAlone) this.#freeSlot(job.kind);
      this.#running.delete(running);
    }
  }

  #freeSlot(kind: string): void {
    this.#deps.slots.release(kind);
    this.#deps.onSlotFree(kind);
  }
}
