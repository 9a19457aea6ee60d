/**
 * One simulated installation on one real database: workers and orchestrators made of the product's own code,
 * each behind a gate, with somebody who starts a new process where one has died.
 */

import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import { silentLogger } from "../../src/base/log.js";
import { Type } from "../../src/base/type.js";
import { KindRegistry } from "../../src/job/kinds.js";
import type { JobContext, JobHandler } from "../../src/job/port.js";
import type { RuntimeEvent } from "../../src/runtime/events.js";
import { createOrchestrator } from "../../src/runtime/orchestrator.js";
import { recoverWorker } from "../../src/runtime/recover.js";
import { recoverDeadWorkersStep } from "../../src/runtime/tick/recover-dead-workers.js";
import { createWorker } from "../../src/runtime/worker.js";
import type { Database } from "../../src/store/database.js";
import { makePolicy } from "../runtime/support/policy.js";
import { Gate } from "./gate.js";
import { GATES } from "./gated-heartbeat.js";
import { seeded } from "./random.js";
import { type Attempt, LEASE_MS, WORKERS } from "./script.js";

const KINDS = ["index", "ingest", "backfill", "gc"];
/** At once over all processes. */
export const LIMITS = { all: 12, gc: 1 };
export const NO_LIMITS = { all: Number.POSITIVE_INFINITY, gc: Number.POSITIVE_INFINITY };
/** Of the longest backoff; 2 s more for a fault that waits, which asks for at least one. */
export const BACKOFF_MAX_MS = 200;

/** What a half-done handler has done, and how long it takes to undo each: long enough to be killed in it. */
const ACTS = [1, 2, 3];
const UNDO_MS = 200;

/** One run of a handler, written by the handler itself. */
export interface Run {
  readonly seq: number;
  readonly fence: number;
  readonly startedMs: number;
  /** Null: it never came to its end. */
  endedMs: number | null;
  ended: Attempt["ends"] | "aborted" | null;
}

/** One run of a compensation, written by itself. */
export interface Undo {
  readonly seq: number;
  /** Of the claim under which it ran. */
  readonly fence: number;
  /** Which act it undoes: by the run that declared it, and its place there. */
  readonly act: string;
  readonly startedMs: number;
  /** Null: it never came to its end. */
  endedMs: number | null;
}

interface Process {
  readonly gate: Gate;
  /** Null before it is registered, and for an orchestrator. */
  workerId(): string | null;
  /** A supervisor sees its end at once. */
  noticed: boolean;
  stop(drainMs: number): Promise<void>;
}

export class World {
  readonly db: Database;
  readonly runs: Run[] = [];
  readonly undos: Undo[] = [];
  readonly events: RuntimeEvent[] = [];
  readonly processes: Process[] = [];
  readonly #random: () => number;
  readonly #policy = makePolicy({
    kinds: KINDS.map((kind) => ({
      ...{ kind, concurrency: 3, attemptsMax: 8, timeoutMs: 10_000 },
      globalMax: kind === "gc" ? LIMITS.gc : null,
    })),
    healing: {
      ...{ crashMax: 1_000, workerDeadAfterMs: LEASE_MS },
      backoff: { baseMs: 10, capMs: BACKOFF_MAX_MS, jitter: 0.1 },
    },
  });
  #ended = false;

  constructor(db: Database, seed: number) {
    this.db = db;
    this.#random = seeded(seed ^ 0x5eed);
  }

  /** Workers stand before orchestrators. */
  start(place: number): void {
    const gate = new Gate(this.db);
    const process = place < WORKERS ? this.#worker(gate) : this.#orchestrator(gate);
    this.processes[place] = process;
    void gate.died.then(() => this.#replace(place, process));
  }

  /** In order; what a process is then still holding is found by the next ones. */
  async restartAll(): Promise<void> {
    await Promise.all(this.processes.map((_, place) => this.restart(place, 0)));
  }

  async restart(place: number, drainMs: number): Promise<void> {
    const process = this.processes[place]!;
    process.gate.thaw();
    await this.#end(process, drainMs);
    if (this.processes[place] === process && !this.#ended) this.start(place);
  }

  async end(): Promise<void> {
    this.#ended = true;
    for (const { gate } of this.processes) gate.thaw();
    await Promise.all(this.processes.map((process) => this.#end(process, 0)));
  }

  /** A dead process is not waited for. */
  async #end(process: Process, drainMs: number): Promise<void> {
    await Promise.race([process.stop(drainMs), process.gate.died]);
    // Nothing of it may go on once another has its place.
    process.gate.kill();
  }

  async #replace(place: number, process: Process): Promise<void> {
    const id = process.workerId();
    if (id !== null && process.noticed) await this.#recover(id);
    if (this.processes[place] === process && !this.#ended) this.start(place);
  }

  async #recover(id: string): Promise<void> {
    try {
      await recoverWorker(id, this.#parts({ db: this.db, clock: systemClock }));
    } catch (error) {
      // The server was away at that moment; an orchestrator finds the worker after its lease.
      this.events.push({ event: "tick.failed", tick: "supervisor", error: String(error) });
    }
  }

  #parts(at: Pick<Gate, "db" | "clock">) {
    return {
      ...{ db: at.db, clock: at.clock, log: silentLogger, random: this.#random },
      policy: () => this.#policy,
      emit: (event: RuntimeEvent) => void this.events.push(event),
      redact: (text: string) => text,
      notify: async () => {},
    };
  }

  #worker(gate: Gate): Process {
    const databaseUrl = `gate:${gate.number}`;
    GATES.set(databaseUrl, gate);
    void gate.died.then(() => GATES.delete(databaseUrl));
    const worker = createWorker({
      ...this.#parts(gate),
      ...{ databaseUrl, databaseSsl: false, lane: "general", kinds: null, globalCap: LIMITS.all },
      registry: new KindRegistry(
        KINDS.map((kind) => ({ kind, lane: "general", payload: Type.Object({}) })),
      ),
      handlers: KINDS.map((kind) => this.#handler(kind, gate)),
      ...{ pollMaxMs: 100, drainMs: 0, parentPid: null },
      onFatal: () => void worker.stop(0),
    });
    // A start that finds the server away ends the process, like any program.
    void worker.start().catch(() => gate.kill());
    return {
      ...{ gate, noticed: true },
      workerId: () => worker.id(),
      stop: (drainMs) => worker.stop(drainMs).catch(() => gate.kill()),
    };
  }

  #orchestrator(gate: Gate): Process {
    const orchestrator = createOrchestrator({
      ...this.#parts(gate),
      ...{ holder: `simulated:${gate.number}`, leaseTtlMs: 300, everyMs: 50 },
      cycle: [recoverDeadWorkersStep(this.#parts(gate))],
      ticks: [],
    });
    orchestrator.start();
    return { gate, noticed: false, workerId: () => null, stop: () => orchestrator.stop() };
  }

  #handler(kind: string, gate: Gate): JobHandler {
    return {
      kind,
      run: (context) => this.#run(context, gate),
      compensations: { undo: ({ act }, context) => this.#undo(String(act), context, gate) },
    };
  }

  async #undo(act: string, { job, signal }: JobContext, gate: Gate): Promise<void> {
    const startedMs = performance.now();
    const undo: Undo = { seq: job.seq, fence: job.fence, act, startedMs, endedMs: null };
    this.undos.push(undo);
    await gate.rest(UNDO_MS, signal);
    signal.throwIfAborted();
    undo.endedMs = performance.now();
  }

  async #run({ job, signal, compensateWith }: JobContext, gate: Gate): Promise<JsonObject> {
    const run: Run = {
      ...{ seq: job.seq, fence: job.fence, startedMs: performance.now() },
      ...{ endedMs: null, ended: null },
    };
    this.runs.push(run);
    const { ms, ends } = attemptOf(
      job.payload,
      this.runs.filter(({ seq }) => seq === job.seq).length,
    );
    for (const act of ends === "partial" ? ACTS : []) {
      await compensateWith("undo", { act: `${job.fence}/${act}` });
    }
    // Handlers of this kind are deaf to their signal.
    await gate.rest(ms, job.kind === "backfill" ? undefined : signal);
    run.endedMs = performance.now();
    run.ended = ends;
    if (signal.aborted && job.kind !== "backfill") {
      run.ended = "aborted";
      throw signal.reason;
    }
    if (ends !== "ok") throw faultOf(ends);
    return { fence: job.fence };
  }
}

function attemptOf(payload: JsonObject, attempt: number): Attempt {
  const attempts = payload.attempts as unknown as Attempt[];
  return attempts[attempt - 1] ?? { ms: 5, ends: "ok" };
}

function faultOf(ends: Exclude<Attempt["ends"], "ok">) {
  if (ends === "waiting") return fault.waiting("LATER", "come back later", { retryAfterMs: 1 });
  return fault[ends](`SIMULATED_${ends.toUpperCase()}`, "as planned");
}
