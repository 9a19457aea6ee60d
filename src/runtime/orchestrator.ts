/**
 * One of several leads (HB-wrk-12, X-08): recovers the jobs of dead workers, enqueues schedules, and
 * beats only after a cycle in which everything succeeded. Other ticks run beside the cycle.
 */
import type { Clock } from "../base/clock.js";
import type { Database } from "../store/database.js";
import type { Emit } from "./events.js";
import { runLeased } from "./leased.js";
import { runOnce, runTicks, type Tick } from "./ticker.js";

/** One thing of the cycle. Throwing ends the cycle before its beat. */
export type CycleStep = Pick<Tick, "name" | "run">;

export interface OrchestratorOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly holder: string;
  readonly leaseTtlMs: number;
  /** Milliseconds between cycles. */
  readonly everyMs: number;
  /** In order; the last is the beat, and it runs only when all before it succeeded. */
  readonly cycle: readonly CycleStep[];
  /** Each at its own interval while this process leads: samples, alert evaluation. */
  readonly ticks: readonly Tick[];
}

export interface Orchestrator {
  start(): void;
  leads(): boolean;
  /** Ends the work in flight and drops the lease, so that another leads at once. */
  stop(): Promise<void>;
}

export const ORCHESTRATOR_LEASE = "orchestrator";

export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  const stopped = new AbortController();
  let leads = false;
  let running: Promise<void> = Promise.resolve();
  const lead = async (signal: AbortSignal) => {
    leads = true;
    await runTicks([cycleOf(options), ...options.ticks], options, signal);
    leads = false;
  };
  return {
    start: () => {
      running = runLeased(
        {
          db: options.db,
          clock: options.clock,
          emit: options.emit,
          name: ORCHESTRATOR_LEASE,
          holder: options.holder,
          ttlMs: options.leaseTtlMs,
          work: (_fence, signal) => lead(signal),
        },
        stopped.signal,
      );
    },
    leads: () => leads,
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

function cycleOf(options: OrchestratorOptions): Tick {
  return {
    name: "cycle",
    everyMs: options.everyMs,
    run: async (_now, signal) => {
      for (const step of options.cycle) {
        const succeeded = await runOnce({ ...step, everyMs: options.everyMs }, options, signal);
        if (!succeeded || signal.aborted) return;
      }
    },
  };
}
