/**
 * Keeps the worker processes of one machine alive: starts them, starts them again with back-off, tells
 * the store at once when one dies (its jobs run again within a second or two), and ends them all.
 */
import type { BackoffPolicy } from "../base/backoff.js";
import { backoffMs } from "../base/backoff.js";
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import { type Child, type ChildProgram, startChild } from "./child.js";
import type { Emit } from "./events.js";

export interface SupervisorOptions {
  readonly programs: readonly ChildProgram[];
  /** Called as soon as a child with a registered worker is gone. May throw: the tick will recover it later. */
  readonly onWorkerGone: (workerId: string, end: WorkerEnd) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly emit: Emit;
  /** In [0, 1). */
  readonly random: () => number;
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly graceMs: number;
}

export interface WorkerEnd {
  /** It was killed since it did not end in time when we stopped: no job of it is to blame. */
  readonly forced: boolean;
}

export interface Supervisor {
  start(): void;
  /** Children that run now. */
  children(): readonly { name: string; pid: number; workerId: string | null }[];
  /** TERM, grace, KILL. Safe to call twice. */
  stop(): Promise<void>;
}

const RESTART_BACKOFF: BackoffPolicy = { baseMs: 100, capMs: 30_000, jitter: 0.2 };
/** A child that lived this long was healthy: the next restart is quick again. */
const HEALTHY_AFTER_MS = 10_000;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const running = new Map<string, Child>();
  const stopped = new AbortController();
  let keepers: Promise<void>[] = [];
  return {
    start: () => {
      keepers = options.programs.map((program) => keep(program, options, running, stopped.signal));
    },
    children: () =>
      [...running.values()].map(({ name, pid, workerId }) => ({ name, pid, workerId: workerId() })),
    stop: async () => {
      stopped.abort();
      await Promise.all([...running.values()].map((child) => child.end(options.graceMs)));
      await Promise.all(keepers);
    },
  };
}

/** One program: run it, and run it again when it ends, until we stop. */
async function keep(
  program: ChildProgram,
  options: SupervisorOptions,
  running: Map<string, Child>,
  stopped: AbortSignal,
): Promise<void> {
  let quickDeaths = 0;
  while (!stopped.aborted) {
    const startedMs = options.clock.now().getTime();
    const child = startChild(program, options.clock);
    running.set(program.name, child);
    options.emit({ event: "process.started", name: program.name, pid: child.pid });
    const exit = await child.exited;
    running.delete(program.name);
    const livedMs = options.clock.now().getTime() - startedMs;
    const workerId = child.workerId();
    options.emit({
      event: stopped.aborted ? "process.ended" : "process.died",
      name: program.name,
      pid: child.pid,
      worker_id: workerId,
      exit_code: exit.code,
      signal: exit.signal,
      lived_ms: livedMs,
    });
    const forced = stopped.aborted && exit.signal === "SIGKILL";
    if (workerId !== null) await tellGone(workerId, { forced }, options);
    if (stopped.aborted) return;
    quickDeaths = livedMs >= HEALTHY_AFTER_MS ? 0 : quickDeaths + 1;
    await delayRestart(program, quickDeaths, options, stopped);
  }
}

async function delayRestart(
  program: ChildProgram,
  quickDeaths: number,
  options: SupervisorOptions,
  stopped: AbortSignal,
): Promise<void> {
  const delayMs = backoffMs(RESTART_BACKOFF, quickDeaths, options.random());
  options.emit({ event: "process.restart-delayed", name: program.name, delay_ms: delayMs });
  await options.clock.sleep(delayMs, stopped);
}

async function tellGone(
  workerId: string,
  end: WorkerEnd,
  options: SupervisorOptions,
): Promise<void> {
  try {
    await options.onWorkerGone(workerId, end);
  } catch (error) {
    // The orchestrator's tick finds the worker dead after its lease.
    options.log.warn("worker.recovery-failed", {
      worker_id: workerId,
      error: errorMessage(error),
    });
  }
}
