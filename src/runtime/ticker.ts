/**
 * Runs named works at their intervals until stopped: a slow one delays no other. One timer wakes for all of them, and
 * those of a second and more start on one grid: each wake-up of an idle process costs more than what is done in it.
 */
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

/** Of the epoch, so that works of different loops and processes wake together. An interval ends by so much too early. */
const GRID_MS = 500;
const ON_GRID_FROM_MS = 1_000;
/** A timer may go off a little before its time; farther off, the clock was set back. */
const EARLY_MAX_MS = 50;

/** Resolves when the signal has aborted and every work in flight has ended. Never rejects. */
export function runTicks(
  ticks: readonly Tick[],
  deps: TickerDeps,
  signal: AbortSignal,
): Promise<void> {
  return new Timetable(ticks, deps, signal).run();
}

class Timetable {
  /** In milliseconds; of one that runs: when it is due again if it ends by then. */
  readonly #dueMs: Map<Tick, number>;
  readonly #running = new Map<Tick, Promise<void>>();
  #wakesAtMs = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};
  readonly #deps: TickerDeps;
  readonly #signal: AbortSignal;

  constructor(ticks: readonly Tick[], deps: TickerDeps, signal: AbortSignal) {
    this.#dueMs = new Map(ticks.map((tick) => [tick, Number.NEGATIVE_INFINITY]));
    this.#deps = deps;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const end = () => this.#wake();
    this.#signal.addEventListener("abort", end, { once: true });
    let reachedMs = this.#nowMs();
    while (!this.#signal.aborted) {
      this.#startDue(reachedMs);
      reachedMs = await this.#untilNext();
    }
    this.#signal.removeEventListener("abort", end);
    await Promise.all(this.#running.values());
  }

  #nowMs(): number {
    return this.#deps.clock.now().getTime();
  }

  #startDue(reachedMs: number): void {
    const nowMs = this.#nowMs();
    for (const [tick, dueMs] of this.#dueMs) {
      const isDue = dueMs <= reachedMs || isTooFar(tick, dueMs, nowMs);
      if (isDue && !this.#running.has(tick)) this.#running.set(tick, this.#start(tick, nowMs));
    }
  }

  async #start(tick: Tick, startedMs: number): Promise<void> {
    this.#dueMs.set(tick, nextDueMs(tick, startedMs, startedMs));
    await runOnce(tick, this.#deps, this.#signal);
    const nowMs = this.#nowMs();
    const dueMs = nextDueMs(tick, startedMs, nowMs);
    this.#running.delete(tick);
    this.#dueMs.set(tick, dueMs);
    if (dueMs < this.#wakesAtMs || isTooFar(tick, dueMs, nowMs)) this.#wake();
  }

  /** Answers with the moment that was reached, in milliseconds. */
  async #untilNext(): Promise<number> {
    const fromMs = this.#nowMs();
    const atMs = this.#earliestMs(fromMs);
    this.#wakesAtMs = atMs;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    if (this.#signal.aborted) return fromMs;
    if (atMs === Number.POSITIVE_INFINITY) await aborted(woken.signal);
    else await this.#deps.clock.sleep(Math.max(atMs - fromMs, 0), woken.signal);
    const nowMs = this.#nowMs();
    const isLate = woken.signal.aborted || nowMs >= atMs - EARLY_MAX_MS;
    return isLate ? nowMs : atMs;
  }

  /** Infinity: all that is due runs, and the first that ends is next. */
  #earliestMs(nowMs: number): number {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const [tick, dueMs] of this.#dueMs) {
      const isRunning = this.#running.has(tick);
      if (!isRunning && isTooFar(tick, dueMs, nowMs)) return nowMs;
      const counts = dueMs > nowMs || !isRunning;
      if (counts && dueMs < earliestMs) earliestMs = dueMs;
    }
    return earliestMs;
  }
}

/** Farther away than its interval: the clock was set back meanwhile. */
function isTooFar({ everyMs }: Tick, dueMs: number, nowMs: number): boolean {
  return dueMs - nowMs > everyMs;
}

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** From start to start, so that a tick's own time does not stretch its interval. Milliseconds. */
function nextDueMs({ everyMs, aligned = false }: Tick, startedMs: number, nowMs: number): number {
  // A moment that passed meanwhile is not caught up with.
  if (aligned) return nowMs + everyMs - (nowMs % everyMs);
  const dueMs = startedMs + everyMs;
  return Math.max(everyMs >= ON_GRID_FROM_MS ? dueMs - (dueMs % GRID_MS) : dueMs, nowMs);
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
