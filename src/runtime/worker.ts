/**
 * One worker process: a claim loop for all its kinds, the jobs it runs, its heartbeat. Liveness is by
 * process, fencing by job. It stops in order: no more claims, drain with a deadline, give back the rest.
 */
import { hostname } from "node:os";
import { errorMessage } from "../base/fault.js";
import type { HeldJob } from "../job/job.js";
import { dropCapacity } from "../store/capacity.js";
import { type Database, openDatabase } from "../store/database.js";
import { releaseForgottenJobs } from "../store/forgotten-jobs.js";
import { findLostJobs } from "../store/job-settle.js";
import { CAPACITY_HINT, STOP_HINT } from "../store/notifications.js";
import { beatWorker, markWorker, registerWorker } from "../store/workers.js";
import type { Heartbeat } from "./heartbeat.js";
import { type JobHints, LISTENER_CONNECTIONS, listenForJobs } from "./job-hints.js";
import { rulesOf } from "./kind-rules.js";
import { parentLink } from "./parent-link.js";
import { processKey } from "./process-key.js";
import { StartedJobs, startedJobsPath } from "./started-jobs.js";
import { recoverGoneWorkers } from "./tick/recover-dead-workers.js";
import { runTicks, type Tick } from "./ticker.js";
import type { WorkerOptions } from "./worker-options.js";
import { beat, createEngine, type Engine, kindsServed } from "./worker-parts.js";

export interface RuntimeWorker {
  /** `<lane>-worker-<process number>`; null before the start. */
  id(): string | null;
  /** Resolves when it is registered, beats and claims. */
  start(): Promise<{ readonly id: string }>;
  /** Safe to call twice. `drainMs` overrides the option. */
  stop(drainMs?: number): Promise<void>;
}

/** How soon a cancelled or reset job's handler learns of it without a hint. */
const LOST_CHECK_MS = 1_000;
/** Longer than a claim takes from its commit to our knowing of it. */
const FORGOTTEN_CHECK_MS = 15_000;
/** What waits here for longer than this may find a slot elsewhere. */
const WAIT_MAX_MS = 2_000;
/** How exactly time-outs are kept. */
const OVERDUE_CHECK_MS = 100;
/** Workers that died on this machine: nobody need wait for their lease. Their supervisor and the leader look too. */
const DEATH_CHECK_MS = 2_000;

export function createWorker(options: WorkerOptions): RuntimeWorker {
  let life: Promise<WorkerLife> | null = null;
  let stopping: Promise<void> | null = null;
  let id: string | null = null;
  return {
    id: () => id,
    start: async () => {
      life ??= WorkerLife.begin(options);
      try {
        id = (await life).id;
      } catch (error) {
        // The database was away: it may be asked again.
        life = null;
        throw error;
      }
      return { id };
    },
    stop: (drainMs = options.drainMs) => {
      stopping ??= life === null ? Promise.resolve() : life.then((begun) => begun.end(drainMs));
      return stopping;
    },
  };
}

/** One session, past any pooler. */
function openListener({ databaseUrl, databaseSsl, log }: WorkerOptions): Database {
  return openDatabase({
    ...{
      url: databaseUrl,
      ssl: databaseSsl,
      poolMax: LISTENER_CONNECTIONS,
      applicationName: "algobrain-listener",
    },
    onIdleError: (error) => log.warn("listener.lost", { error: error.message }),
  });
}

/** From the registered row to the stopped row. */
class WorkerLife {
  readonly id: string;
  readonly #options: WorkerOptions;
  readonly #engine: Engine;
  readonly #kinds: readonly string[];
  readonly #started: StartedJobs;
  readonly #heartbeat: Heartbeat;
  readonly #hints: JobHints;
  readonly #listening: Database;
  readonly #noClaims = new AbortController();
  readonly #stopped = new AbortController();
  readonly #claiming: Promise<void>;
  readonly #checking: Promise<unknown>;

  static async begin(options: WorkerOptions): Promise<WorkerLife> {
    const kinds = kindsServed(options);
    options.registry.prepare(kinds);
    const registered = await registerWorker(options.db, {
      lane: options.lane,
      kinds,
      hostname: hostname(),
      pid: process.pid,
      processKey: processKey(process.pid),
    });
    // Before the first claim: a supervisor that does not know us could not tell at once that we died.
    if (options.parentPid !== null) parentLink().tellRegistered(registered.id);
    const life = new WorkerLife(options, registered, kinds);
    try {
      await life.#heartbeat.beating;
    } catch (error) {
      await life.#abandon();
      throw error;
    }
    const told = { worker_id: registered.id, kinds: kinds.join(","), pid: process.pid };
    options.emit({ event: "worker.started", ...told });
    return life;
  }

  private constructor(
    options: WorkerOptions,
    registered: { readonly id: string; readonly processNumber: number },
    kinds: readonly string[],
  ) {
    const { id, processNumber } = registered;
    this.id = id;
    this.#options = options;
    this.#kinds = kinds;
    const { evidenceDir } = options;
    this.#started = new StartedJobs(evidenceDir ? startedJobsPath(evidenceDir, id) : null);
    this.#heartbeat = beat(options, id, this.#started);
    const parts = {
      ...{ workerId: id, processNumber, kinds, started: this.#started },
      hears: () => this.#hints.hears(),
    };
    this.#engine = createEngine(options, parts);
    this.#listening = openListener(options);
    this.#hints = listenForJobs({ ...options, db: this.#listening }, (hint) => this.#onHint(hint));
    this.#claiming = this.#claimOnceBeating();
    const checks = [this.#lostCheck(), this.#forgottenCheck(), this.#deathCheck()];
    this.#checking = Promise.all([
      runTicks(checks, options, this.#stopped.signal),
      this.#keepTime(this.#stopped.signal),
    ]);
  }

  /** Not before: a process that cannot beat would only be robbed of what it claims. */
  async #claimOnceBeating(): Promise<void> {
    try {
      await this.#heartbeat.beating;
    } catch {
      // Who began this life hears of it too, and abandons it.
      return;
    }
    await this.#engine.loop.run(this.#noClaims.signal);
  }

  #onHint(hint: string): void {
    // Two that look in turn would wake one another for ever, each by giving back what it looked with.
    if (hint === CAPACITY_HINT) this.#engine.loop.hasRoom();
    else this.#engine.loop.hint();
    if (hint === STOP_HINT) void this.#dropLost().catch(() => this.#engine.loop.hint());
  }

  /** Cancelled, reset or healed by others: the handler hears of it through its signal. */
  #lostCheck(): Tick {
    return { name: "stop-lost-jobs", everyMs: LOST_CHECK_MS, run: () => this.#dropLost() };
  }

  async #dropLost(): Promise<void> {
    const { jobs } = this.#engine;
    jobs.forget(await findLostJobs(this.#options.db, this.id, jobs.held()));
  }

  /** A claim whose answer was lost on the way holds jobs that nobody here knows of. */
  #forgottenCheck(): Tick {
    return {
      name: "release-forgotten-jobs",
      everyMs: FORGOTTEN_CHECK_MS,
      run: async () => {
        const { db, log } = this.#options;
        const graceMs = FORGOTTEN_CHECK_MS;
        const known = this.#engine.jobs.seqs();
        const released = await releaseForgottenJobs(db, { workerId: this.id, known, graceMs });
        if (released > 0) log.warn("worker.jobs-released", { worker_id: this.id, jobs: released });
      },
    };
  }

  #deathCheck(): Tick {
    return {
      name: "recover-gone-workers",
      everyMs: DEATH_CHECK_MS,
      run: () => recoverGoneWorkers(this.#options),
    };
  }

  /** Handlers that run for too long, and jobs that wait for too long. */
  async #keepTime(stopped: AbortSignal): Promise<void> {
    const { jobs } = this.#engine;
    while (!stopped.aborted) {
      jobs.stopOverdue();
      jobs.acquit();
      await jobs.giveBack(performance.now() - WAIT_MAX_MS);
      const pauseMs = jobs.seqs().length > 0 ? OVERDUE_CHECK_MS : this.#soonestOverdueMs();
      await this.#options.clock.sleep(pauseMs, stopped);
    }
  }

  /** With nothing here: a job that comes in this moment can neither run nor wait for too long before. */
  #soonestOverdueMs(): number {
    const policy = this.#options.policy();
    const timeouts = this.#kinds.map((kind) => rulesOf(policy, kind).timeoutMs);
    return Math.max(OVERDUE_CHECK_MS, Math.min(WAIT_MAX_MS, ...timeouts));
  }

  /** It never came to beat: what was begun ends, or its timers would claim for ever; the database may not hear of it. */
  async #abandon(): Promise<void> {
    try {
      await this.end(0);
    } catch (error) {
      this.#options.log.warn("worker.mark-failed", { error: errorMessage(error) });
    }
  }

  async end(drainMs: number): Promise<void> {
    const { db, emit } = this.#options;
    this.#noClaims.abort();
    await this.#tryMark("draining");
    await this.#claiming;
    const released = await this.#drain(drainMs);
    emit({ event: "worker.drained", worker_id: this.id, released });
    this.#stopped.abort();
    await Promise.all([this.#checking, this.#hints.stop(), this.#engine.attempts.stop()]);
    await this.#listening.close();
    const deaf = this.#engine.jobs.deaf();
    if (deaf.length > 0) return this.#endWith(deaf);
    await this.#heartbeat.stop();
    await dropCapacity(db, this.id);
    await markWorker(db, this.id, "stopped");
    await this.#started.close();
    emit({ event: "worker.stopped", worker_id: this.id });
  }

  /**
   * Their handlers go on until the process ends, and so does its heartbeat: nobody starts their jobs beside them
   * (docs/decisions/0070-a-deaf-handler-keeps-its-job.md).
   */
  async #endWith(deaf: readonly HeldJob[]): Promise<void> {
    const { db, log, onFatal } = this.#options;
    const jobs = deaf.map(({ id }) => id).join(", ");
    log.warn("worker.deaf-handlers", { worker_id: this.id, jobs });
    try {
      // For whoever cannot read the file of this machine: no job of ours is to blame for our end.
      await beatWorker(db, this.id, []);
    } catch (error) {
      log.warn("worker.mark-failed", { error: errorMessage(error) });
    }
    onFatal(`the handlers of ${jobs} ignored the shutdown`);
  }

  /** How many had to be given back. */
  async #drain(drainMs: number): Promise<number> {
    const { jobs } = this.#engine;
    const waiting = await jobs.giveBack();
    const drained = new AbortController();
    const settled = jobs.settled().then(() => drained.abort());
    await this.#options.clock.sleep(drainMs, drained.signal);
    const left = jobs.executing();
    jobs.stop(left, "shutdown");
    await settled;
    return waiting + left.length - jobs.deaf().length;
  }

  /** For people who look; the drain does not depend on it. */
  async #tryMark(status: "draining"): Promise<void> {
    try {
      await markWorker(this.#options.db, this.id, status);
    } catch (error) {
      this.#options.log.warn("worker.mark-failed", { error: errorMessage(error) });
    }
  }
}
