/**
 * One worker process: a claim loop for all its kinds, the jobs it runs, its heartbeat. Liveness is by
 * process, fencing by job. It stops in order: no more claims, drain with a deadline, give back the rest.
 */
import { hostname } from "node:os";
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import { type KindRegistry, SAFE_MODE_KINDS } from "../job/kinds.js";
import type { JobHandler } from "../job/port.js";
import type { PolicySet } from "../policy/policy.js";
import { declareCompensation } from "../store/compensations.js";
import type { Database } from "../store/database.js";
import { releaseForgottenJobs } from "../store/forgotten-jobs.js";
import { claimJobs, heldJobsLost } from "../store/job-claims.js";
import { markWorker, registerWorker } from "../store/workers.js";
import { ClaimLoop } from "./claim-loop.js";
import { Completions } from "./completions.js";
import { type Emit, kindWorkerId } from "./events.js";
import { type Heartbeat, startHeartbeat } from "./heartbeat.js";
import { type JobHints, listenForJobs } from "./job-hints.js";
import { rulesOf } from "./kind-rules.js";
import { parentLink } from "./parent-link.js";
import { RunningJobs } from "./running-jobs.js";
import type { RuntimeNotify } from "./runtime-word.js";
import { Slots } from "./slots.js";
import { runTicks, type Tick } from "./ticker.js";

export interface WorkerOptions {
  readonly db: Database;
  /** For the heartbeat's own connection. */
  readonly databaseUrl: string;
  readonly databaseSsl: boolean;
  readonly registry: KindRegistry;
  readonly handlers: readonly JobHandler[];
  /** In force now, overrides applied: it may be another one at the next claim. */
  readonly policy: () => PolicySet;
  readonly lane: "general" | "internal";
  /** Only these of the lane (`serve --kinds`); null: all that have a handler. */
  readonly kinds: readonly string[] | null;
  /** ORCHESTRATOR_MAX_CONCURRENT_JOBS, over all processes. */
  readonly globalCap: number;
  /** ORCHESTRATOR_POLL_INTERVAL_MS: the longest pause between two polls. */
  readonly pollMaxMs: number;
  /** Milliseconds that running jobs get to end by themselves on stop. */
  readonly drainMs: number;
  /** Of `parentLink()`: the supervisor, which is told our id. Null: there is none. */
  readonly parentPid: number | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly emit: Emit;
  /** In [0, 1). */
  readonly random: () => number;
  readonly redact: (text: string) => string;
  readonly notify: RuntimeNotify;
  /** The process must end now; what it held is healed by others. */
  readonly onFatal: (why: string) => void;
}

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

export function createWorker(options: WorkerOptions): RuntimeWorker {
  let life: Promise<WorkerLife> | null = null;
  let stopping: Promise<void> | null = null;
  let id: string | null = null;
  return {
    id: () => id,
    start: async () => {
      life ??= WorkerLife.begin(options);
      id = (await life).id;
      return { id };
    },
    stop: (drainMs = options.drainMs) => {
      stopping ??= life === null ? Promise.resolve() : life.then((begun) => begun.end(drainMs));
      return stopping;
    },
  };
}

/** From the registered row to the stopped row. */
class WorkerLife {
  readonly id: string;
  readonly #options: WorkerOptions;
  readonly #jobs: RunningJobs;
  readonly #heartbeat: Heartbeat;
  readonly #hints: JobHints;
  readonly #noClaims = new AbortController();
  readonly #stopped = new AbortController();
  readonly #claiming: Promise<void>;
  readonly #checking: Promise<void>;

  static async begin(options: WorkerOptions): Promise<WorkerLife> {
    const kinds = kindsServed(options);
    const registered = await registerWorker(options.db, {
      lane: options.lane,
      kinds,
      hostname: hostname(),
      pid: process.pid,
    });
    // Before the first claim: a supervisor that does not know us could not tell at once that we died.
    if (options.parentPid !== null) parentLink().tellRegistered(registered.id);
    const life = new WorkerLife(options, registered, kinds);
    await life.#heartbeat.beating;
    const told = { worker_id: registered.id, kinds: kinds.join(","), pid: process.pid };
    options.emit({ event: "worker.started", ...told });
    return life;
  }

  private constructor(
    options: WorkerOptions,
    registered: { readonly id: string; readonly processNumber: number },
    kinds: readonly string[],
  ) {
    this.id = registered.id;
    this.#options = options;
    this.#heartbeat = beat(options, registered.id);
    const slots = new Slots();
    const loop = claimLoop(options, registered.id, kinds, slots, (job) => this.#jobs.start(job));
    this.#jobs = runningJobs(options, registered.processNumber, slots, (kind) =>
      loop.slotFree(kind),
    );
    this.#hints = listenForJobs(options, () => loop.hint());
    this.#claiming = loop.run(this.#noClaims.signal);
    const checks = [this.#lostCheck(), this.#forgottenCheck()];
    this.#checking = runTicks(checks, options, this.#stopped.signal);
  }

  /** Cancelled, reset or healed by others: the handler hears of it through its signal. */
  #lostCheck(): Tick {
    return {
      name: "stop-lost-jobs",
      everyMs: LOST_CHECK_MS,
      run: async () => {
        const lost = await heldJobsLost(this.#options.db, this.id, this.#jobs.executing());
        this.#jobs.stop(lost, "lost");
      },
    };
  }

  /** A claim whose answer was lost on the way holds jobs that nobody here knows of. */
  #forgottenCheck(): Tick {
    return {
      name: "release-forgotten-jobs",
      everyMs: FORGOTTEN_CHECK_MS,
      run: async () => {
        const { db, log } = this.#options;
        const graceMs = FORGOTTEN_CHECK_MS;
        const known = this.#jobs.seqs();
        const released = await releaseForgottenJobs(db, { workerId: this.id, known, graceMs });
        if (released > 0) log.warn("worker.jobs-released", { worker_id: this.id, jobs: released });
      },
    };
  }

  async end(drainMs: number): Promise<void> {
    const { db, emit } = this.#options;
    this.#noClaims.abort();
    await this.#tryMark("draining");
    await this.#claiming;
    const released = await this.#drain(drainMs);
    emit({ event: "worker.drained", worker_id: this.id, released });
    this.#stopped.abort();
    await Promise.all([this.#checking, this.#hints.stop()]);
    await this.#heartbeat.stop();
    await markWorker(db, this.id, "stopped");
    emit({ event: "worker.stopped", worker_id: this.id });
  }

  /** How many had to be given back. */
  async #drain(drainMs: number): Promise<number> {
    const drained = new AbortController();
    const settled = this.#jobs.settled().then(() => drained.abort());
    await this.#options.clock.sleep(drainMs, drained.signal);
    const left = this.#jobs.executing().map(({ seq }) => seq);
    this.#jobs.stop(left, "shutdown");
    await settled;
    return left.length;
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

function kindsServed(options: WorkerOptions): string[] {
  const handled = new Set(options.handlers.map(({ kind }) => kind));
  return options.registry
    .names(options.lane === "internal" ? "internal" : "public")
    .filter((kind) => handled.has(kind))
    .filter((kind) => options.kinds === null || options.kinds.includes(kind));
}

function beat(options: WorkerOptions, workerId: string): Heartbeat {
  const settings = {
    databaseUrl: options.databaseUrl,
    ssl: options.databaseSsl,
    workerId,
    deadAfterMs: options.policy().healing.workerDeadAfterMs,
    parentPid: options.parentPid,
  };
  return startHeartbeat(settings, (why) => {
    options.emit({ event: "worker.heartbeat-lost", worker_id: workerId, why });
    options.onFatal(`heartbeat lost: ${why}`);
  });
}

function claimLoop(
  options: WorkerOptions,
  workerId: string,
  kinds: readonly string[],
  slots: Slots,
  start: ConstructorParameters<typeof ClaimLoop>[0]["start"],
): ClaimLoop {
  return new ClaimLoop({
    clock: options.clock,
    slots,
    limits: () => {
      const policy = options.policy();
      return kinds
        .map((kind) => ({ kind, ...rulesOf(policy, kind) }))
        .filter(({ enabled }) => enabled);
    },
    claim: (free, max) =>
      claimJobs(options.db, {
        workerId,
        kinds: free,
        max,
        globalCap: options.lane === "internal" ? null : options.globalCap,
        safeModeKinds: SAFE_MODE_KINDS,
      }),
    start,
    onClaimFailed: (error) => options.emit({ event: "claim.failed", worker_id: workerId, error }),
    pollMaxMs: options.pollMaxMs,
  });
}

function runningJobs(
  options: WorkerOptions,
  processNumber: number,
  slots: Slots,
  onSlotFree: (kind: string) => void,
): RunningJobs {
  return new RunningJobs({
    ...options,
    handlers: new Map(options.handlers.map((handler) => [handler.kind, handler])),
    completions: new Completions(options.db),
    declare: async (job, name, input) => {
      await declareCompensation(options.db, { jobSeq: job.seq, name, input });
    },
    slots,
    rulesOf: (kind) => rulesOf(options.policy(), kind),
    workerIdOf: (kind) => kindWorkerId(kind, processNumber),
    onSlotFree,
  });
}
