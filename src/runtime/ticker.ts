/** Runs named works at their intervals until stopped, each in its own loop: a slow one delays no other. */
import { setMaxListeners } from "node:events";
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Emit } from "./events.js";

export interface Tick {
  readonly name: string;
  readonly everyMs: number;
  /** Runs at multiples of `everyMs` since the epoch: what several processes measure then stands on one grid. */
  readonly aligned?: boolean | undefined;
  /** The signal aborts on shutdown and when leadership is lost. */
  run(now: Date, signal: AbortSignal): Promise<void>;
}

export interface TickerDeps {
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Resolves when the signal has aborted and every work in flight has ended. Never rejects. */
export async function runTicks(
  ticks: readonly Tick[],
  deps: TickerDeps,
  signal: AbortSignal,
): Promise<void> {
  // One listener each: many ticks are no leak.
  setMaxListeners(ticks.length + 10, signal);
  await Promise.all(ticks.map((tick) => repeat(tick, deps, signal)));
}

async function repeat(tick: Tick, deps: TickerDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const startedMs = deps.clock.now().getTime();
    await runOnce(tick, deps, signal);
    await deps.clock.sleep(untilNext(tick, startedMs, deps.clock.now().getTime()), signal);
  }
}

/** From start to start, so that a tick's own time does not stretch its interval. Milliseconds. */
function untilNext({ everyMs, aligned = false }: Tick, startedMs: number, nowMs: number): number {
  // A moment that passed meanwhile is not caught up with.
  if (aligned) return everyMs - (nowMs % everyMs);
  return Math.max(everyMs - (nowMs - startedMs), 0);
}

/** True when it succeeded. A failed tick is told and tried again at its next time. */
export async function runOnce(tick: Tick, deps: TickerDeps, signal: AbortSignal): Promise<boolean> {
  const started = deps.clock.now();
  try {
    await tick.run(started, signal);
    const duration_ms = deps.clock.now().getTime() - started.getTime();
    deps.emit({ event: "tick.completed", tick: tick.name, duration_ms });
    return true;
  } catch (error) {
    if (!signal.aborted) {
      deps.emit({ event: "tick.failed", tick: tick.name, error: errorMessage(error) });
    }
    return false;
  }
}
