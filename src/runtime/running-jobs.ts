/**
 * The jobs that this process holds: they wait for a slot, run, and are followed to their settled end. A slot is
 * free again as soon as its handler has ended; what gives the next job to it is here too.
 */
import type { HeldJob } from "../job/job.js";
import type { StopReason } from "../job/outcome.js";
import { ofJob } from "./events.js";
import { executeJob, mayRollBack } from "./execute.js";
import { JobBuffer } from "./job-buffer.js";
import type { KindLoad } from "./kind-load.js";
import type { KindRules } from "./kind-rules.js";
import { RunningJob } from "./running-job.js";
import { type HoldDeps, settleHeld, settleInTurn } from "./settle-held.js";
import type { StartedJobs } from "./started-jobs.js";

export interface RunningJobsDeps extends HoldDeps {
  readonly load: KindLoad;
  readonly started: StartedJobs;
  readonly rulesOf: (kind: string) => KindRules;
  /** There is room for jobs of this kind. */
  readonly onRoom: (kind: string) => void;
}

/** Handlers that only return would otherwise keep the loop from hearing of anything else. */
const STARTS_A_TURN = 256;

export class RunningJobs {
  readonly #deps: RunningJobsDeps;
  readonly #running = new Map<number, RunningJob>();
  readonly #waiting = new JobBuffer();
  /** They ignored our shutdown: their rows stay ours for as long as they run, which is as long as we do. */
  readonly #deaf = new Set<HeldJob>();
  /** Given back by now, but the statement is under way. */
  readonly #leaving = new Set<number>();
  /** Kinds with slots that became free in this turn of the microtasks. */
  readonly #toFill = new Set<string>();
  /** Those who wait until nothing runs. */
  #waitForNone: (() => void)[] = [];
  #suspect: number | null = null;
  #startsLeft = STARTS_A_TURN;

  constructor(deps: RunningJobsDeps) {
    this.#deps = deps;
  }

  /** Those that have slots start at once; the others wait for theirs. */
  accept(jobs: readonly HeldJob[]): void {
    const nowMs = performance.now();
    for (const job of jobs) {
      // A job that comes again was reset meanwhile: its former handler works for nobody.
      this.#stopOne(job.seq, "lost");
      this.#waiting.push(job, nowMs);
      this.#deps.load.buffered(job.kind, 1);
    }
    for (const kind of this.#waiting.kinds()) this.#fill(kind);
  }

  /** Those whose handler or compensations still run for us, and those that wait for one. */
  held(): HeldJob[] {
    return [...this.#executing(), ...this.#undoing(), ...this.#waiting.jobs()];
  }

  /** Those whose row we are not done with: also those whose outcome is being written. */
  seqs(): number[] {
    const waiting = this.#waiting.jobs().map(({ seq }) => seq);
    const deaf = [...this.#deaf].map(({ seq }) => seq);
    return [...this.#running.keys(), ...waiting, ...this.#leaving, ...deaf];
  }

  /** Jobs whose handler goes on after the shutdown until the process ends. */
  deaf(): HeldJob[] {
    return [...this.#deaf];
  }

  stop(seqs: readonly number[], reason: StopReason): void {
    for (const seq of seqs) this.#stopOne(seq, reason);
  }

  /** These are no longer ours: handlers hear of it, and those that wait never start. */
  forget(seqs: readonly number[]): void {
    const lost = new Set(seqs);
    this.stop(seqs, "lost");
    const { emit, workerIdOf, onReleased } = this.#deps;
    for (const job of this.#leave((waiting) => lost.has(waiting.seq))) {
      emit({ event: "job.lost", ...ofJob(job, workerIdOf(job.kind)) });
      onReleased(job.kind);
    }
  }

  /** Handlers that ran for longer than their kind may. */
  stopOverdue(): void {
    const nowMs = performance.now();
    for (const { executing, rules, startedMs, stop } of this.#running.values()) {
      if (executing && nowMs - startedMs > rules.timeoutMs) stop.stop("timeout");
    }
  }

  /** A suspect that has run for as long as its kind is watched: the next may start beside it. */
  acquit(): void {
    const suspect = this.#suspect === null ? undefined : this.#running.get(this.#suspect);
    if (suspect === undefined) return;
    const { suspectMs = Number.POSITIVE_INFINITY } = suspect.rules;
    if (performance.now() - suspect.startedMs < suspectMs) return;
    this.#suspect = null;
    for (const kind of this.#waiting.kinds()) this.#fill(kind);
  }

  /** Gives back those that have waited since before this time of the monotonic clock: all of them, by default. */
  async giveBack(sinceMs = Number.POSITIVE_INFINITY): Promise<number> {
    const jobs = this.#leave((_job, waitedFromMs) => waitedFromMs < sinceMs);
    for (const { seq } of jobs) this.#leaving.add(seq);
    await Promise.all(jobs.map((job) => this.#release(job)));
    return jobs.length;
  }

  /** Jobs whose handler runs. */
  executing(): number[] {
    return this.#executing().map(({ seq }) => seq);
  }

  #executing(): HeldJob[] {
    return [...this.#running.values()]
      .filter(({ executing, stop }) => executing && stop.reason !== "lost")
      .map(({ job }) => job);
  }

  #undoing(): HeldJob[] {
    return [...this.#running.values()]
      .filter(({ undoing }) => undoing !== null && undoing.reason !== "lost")
      .map(({ job }) => job);
  }

  /** Resolves when nothing runs any more, and every outcome is written. */
  settled(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waitForNone.push(resolve));
  }

  #stopOne(seq: number, reason: StopReason): void {
    const running = this.#running.get(seq);
    running?.stop.stop(reason);
    // Our shutdown waits for a rollback, which has a deadline of its own.
    if (reason === "lost") running?.undoing?.stop(reason);
  }

  #leave(test: (job: HeldJob, sinceMs: number) => boolean): HeldJob[] {
    const jobs = this.#waiting.take(test);
    for (const { kind } of jobs) this.#deps.load.buffered(kind, -1);
    return jobs;
  }

  async #release(job: HeldJob): Promise<void> {
    const neverStarted = new RunningJob(job, this.#deps.rulesOf(job.kind));
    const outcome = { verdict: "released" } as const;
    await settleInTurn({ execution: neverStarted, outcome, durationMs: 0 }, this.#deps);
    this.#leaving.delete(job.seq);
  }

  /** Waiting jobs into the free slots of their kind. */
  #fill(kind: string): void {
    const { load, rulesOf, started } = this.#deps;
    const rules = rulesOf(kind);
    const jobs: HeldJob[] = [];
    for (let free = rules.concurrency - load.running(kind); free > 0; free--) {
      if (this.#startsLeft === 0) break;
      const job = this.#waiting.next(kind, (next) => this.#mayStart(next));
      if (job === undefined) break;
      load.buffered(kind, -1);
      this.#reserve(job);
      jobs.push(job);
    }
    if (jobs.length > 0) started.add(jobs.map(({ seq }) => seq));
    for (const job of jobs) this.#start(job, rules);
    if (this.#startsLeft > 0) this.#deps.onRoom(kind);
  }

  /** Quick handlers end many in a turn: their slots are filled together. */
  #fillSoon(kind: string): void {
    if (this.#toFill.has(kind)) return;
    const isQuick = this.#deps.load.isQuick(kind);
    if (isQuick) this.#toFill.add(kind);
    const fill = () => {
      this.#toFill.delete(kind);
      this.#fill(kind);
    };
    if (isQuick) void Promise.resolve().then(fill);
    else fill();
  }

  /** Of the jobs that were running when a worker died, one at a time: so the next death names the culprit. */
  #mayStart(job: HeldJob): boolean {
    return job.crashCount === 0 || this.#suspect === null;
  }

  /** Its slot is taken, and it is the suspect if it is one. */
  #reserve(job: HeldJob): void {
    if (this.#startsLeft-- === STARTS_A_TURN) setImmediate(() => this.#nextTurn());
    if (job.crashCount > 0) this.#suspect = job.seq;
    this.#deps.load.started(job.kind);
  }

  #start(job: HeldJob, rules: KindRules): void {
    const { emit, workerIdOf, clock } = this.#deps;
    const waited_ms = clock.now().getTime() - job.createdAt.getTime();
    emit({ event: "job.claimed", ...ofJob(job, workerIdOf(job.kind)), waited_ms });
    const running = new RunningJob(job, rules);
    this.#running.set(job.seq, running);
    void this.#follow(running);
  }

  #nextTurn(): void {
    const wasFull = this.#startsLeft <= 0;
    this.#startsLeft = STARTS_A_TURN;
    if (wasFull) for (const kind of this.#waiting.kinds()) this.#fill(kind);
  }

  async #follow(running: RunningJob): Promise<void> {
    const { job, rules, startedMs } = running;
    const outcome = await executeJob(running, this.#deps);
    const durationMs = performance.now() - startedMs;
    running.executing = false;
    if (running.stop.ignored && running.stop.reason === "shutdown") {
      void this.#deps.attempts.ended(job, outcome, durationMs);
      this.#keepDeaf(running);
      return;
    }
    // The next may start while the outcome is written; but one at a time is so in the rows too (HB-env-12).
    const isAlone = rules.concurrency === 1 && !this.#deps.load.isQuick(job.kind);
    // A compensation may end the process like a handler: its job counts as started, and as a suspect, until it is settled.
    const mayUndo = outcome.verdict === "faulted" && mayRollBack(running, this.#deps);
    const keepsSlot = isAlone || mayUndo;
    if (!keepsSlot) this.#free(job, durationMs);
    settleHeld({ execution: running, outcome, durationMs }, this.#deps, () =>
      this.#end(running, keepsSlot ? durationMs : null),
    );
  }

  /** `tookMs`: its slot is still taken, since then. */
  #end(running: RunningJob, tookMs: number | null): void {
    const { job, stop } = running;
    if (tookMs !== null) this.#free(job, tookMs);
    this.#forgetRunning(running);
    // Its handler goes on, whatever the row says: only the end of the process ends it.
    if (stop.ignored) this.#deps.onFatal(`the handler of ${job.id} ignored its stop`);
  }

  /** Whoever sees that this process is gone gives it back: the end of it is the shutdown's doing, not the job's. */
  #keepDeaf(running: RunningJob): void {
    this.#deaf.add(running.job);
    this.#deps.started.acquit(running.job.seq);
    this.#forgetRunning(running);
  }

  #forgetRunning(running: RunningJob): void {
    const { seq } = running.job;
    if (this.#running.get(seq) === running) this.#running.delete(seq);
    if (this.#running.size > 0) return;
    for (const resolve of this.#waitForNone.splice(0)) resolve();
  }

  #free(job: HeldJob, tookMs: number): void {
    const { load, started } = this.#deps;
    load.ended(job.kind, tookMs);
    started.remove(job.seq);
    const wasSuspect = this.#suspect === job.seq;
    if (wasSuspect) this.#suspect = null;
    this.#fillSoon(job.kind);
    // The next suspect may be of any kind.
    if (wasSuspect) for (const kind of this.#waiting.kinds()) this.#fill(kind);
  }
}
