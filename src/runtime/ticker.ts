/**
 * Runs named works at their intervals until stopped: a slow one delays no other. One timer of the process wakes for all
 * of them, and those of a second and more start on one grid: to wake an idle process costs more than what it then does.
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
  /** Milliseconds from the full second to the grid of this process; by default a place of its own. */
  readonly gridOffsetMs?: number | undefined;
}

/** What is due at about the same time is one wake-up. An interval ends by so much too early. */
const GRID_MS = 1_000;
/** Not the same in all processes: hundreds of them would ask one database in the same moment. */
const OFFSET_MS = Math.floor(Math.random() * GRID_MS);
/** A timer may go off a little before its time; farther off, the clock was set back. */
const EARLY_MAX_MS = 50;

/** Resolves when the signal has aborted and every work in flight has ended. Never rejects. */
export async function runTicks(
  ticks: readonly Tick[],
  deps: TickerDeps,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const works = ticks.map((tick): Work => ({ tick, deps, signal, dueMs: 0, running: null }));
  const timetable = timetableOf(deps.clock);
  const ended = aborted(signal);
  timetable.add(works);
  await ended;
  timetable.remove(works);
  await Promise.all(works.map(({ running }) => running));
}

interface Work {
  readonly tick: Tick;
  readonly deps: TickerDeps;
  readonly signal: AbortSignal;
  /** Milliseconds of the epoch; while it runs: when it is due again if it ends by then. */
  dueMs: number;
  running: Promise<void> | null;
}

const timetables = new WeakMap<Clock, Timetable>();

function timetableOf(clock: Clock): Timetable {
  const known = timetables.get(clock);
  if (known) return known;
  const made = new Timetable(clock);
  timetables.set(clock, made);
  return made;
}

/** The works of all callers, who come and go. It turns while there are any. */
class Timetable {
  readonly #clock: Clock;
  readonly #works = new Set<Work>();
  #isTurning = false;
  #wakesAtMs = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(works: readonly Work[]): void {
    for (const work of works) this.#works.add(work);
    if (this.#isTurning) this.#wake();
    else void this.#turn();
  }

  remove(works: readonly Work[]): void {
    for (const work of works) this.#works.delete(work);
    this.#wake();
  }

  async #turn(): Promise<void> {
    this.#isTurning = true;
    let reachedMs = this.#nowMs();
    while (this.#works.size > 0) {
      this.#startDue(reachedMs);
      reachedMs = await this.#untilNext();
    }
    this.#isTurning = false;
  }

  #nowMs(): number {
    return this.#clock.now().getTime();
  }

  #startDue(reachedMs: number): void {
    const nowMs = this.#nowMs();
    for (const work of this.#works) {
      const isDue = work.dueMs <= reachedMs || isTooFar(work, nowMs);
      if (isDue && work.running === null) work.running = this.#start(work, nowMs);
    }
  }

  async #start(work: Work, startedMs: number): Promise<void> {
    work.dueMs = nextDueMs(work, startedMs, startedMs);
    await runOnce(work.tick, work.deps, work.signal);
    const nowMs = this.#nowMs();
    work.dueMs = nextDueMs(work, startedMs, nowMs);
    work.running = null;
    if (work.dueMs < this.#wakesAtMs || isTooFar(work, nowMs)) this.#wake();
  }

  /** Answers with the moment that was reached, in milliseconds. */
  async #untilNext(): Promise<number> {
    const fromMs = this.#nowMs();
    const atMs = this.#earliestMs(fromMs);
    this.#wakesAtMs = atMs;
    const woken = new AbortController();
    this.#wake = () => woken.abort(WOKEN);
    if (atMs === Number.POSITIVE_INFINITY) await aborted(woken.signal);
    else await this.#clock.sleep(Math.max(atMs - fromMs, 0), woken.signal);
    const nowMs = this.#nowMs();
    const isWhereMeant = woken.signal.aborted || nowMs >= atMs - EARLY_MAX_MS;
    return isWhereMeant ? nowMs : atMs;
  }

  /** Infinity: all that is due runs, and the first that ends is next. */
  #earliestMs(nowMs: number): number {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const work of this.#works) {
      const isRunning = work.running !== null;
      if (!isRunning && isTooFar(work, nowMs)) return nowMs;
      if ((work.dueMs > nowMs || !isRunning) && work.dueMs < earliestMs) earliestMs = work.dueMs;
    }
    return earliestMs;
  }
}

/** Without a reason, an error with its stack would be made. */
const WOKEN = "woken";

/** Farther away than its interval: the clock was set back meanwhile. */
function isTooFar({ tick, dueMs }: Work, nowMs: number): boolean {
  return dueMs - nowMs > tick.everyMs;
}

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** From start to start, so that a tick's own time does not stretch its interval. Milliseconds. */
function nextDueMs({ tick, deps }: Work, startedMs: number, nowMs: number): number {
  const { everyMs, aligned = false } = tick;
  // A moment that passed meanwhile is not caught up with.
  if (aligned) return nowMs + everyMs - (nowMs % everyMs);
  const dueMs = startedMs + everyMs;
  if (everyMs < GRID_MS) return Math.max(dueMs, nowMs);
  return Math.max(dueMs - ((dueMs - (deps.gridOffsetMs ?? OFFSET_MS)) % GRID_MS), nowMs);
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
