/** Work that one process at a time may do: a fenced lease is taken, kept while working, and dropped. */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Database } from "../store/database.js";
import { dropLease, keepLease, takeLease } from "../store/lease.js";
import type { Emit } from "./events.js";

interface TakenLease {
  readonly name: string;
  readonly holder: string;
  readonly ttlMs: number;
  /** Grows with each taker: a former leader's writes can be told from ours. */
  readonly fence: number;
}

export interface LeasedOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Name of the lease, e.g. `orchestrator`. */
  readonly name: string;
  /** This process, e.g. `host:pid:random`. */
  readonly holder: string;
  readonly ttlMs: number;
  /** Runs while the lease is ours; must end soon after the signal aborts. */
  readonly work: (fence: number, signal: AbortSignal) => Promise<void>;
}

/** The lease is asked for this often per time to live: whoever waits takes it over after 1.2 times of it at most. */
const CHECKS_PER_TTL = 5;
/** In checks: it is kept so seldom as long as that works, and at each check from a failure on. */
const KEPT_EVERY = 2;

/** Tries for the lease until `stopped`; works whenever it is ours. Never rejects. */
export async function runLeased(options: LeasedOptions, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    const lease = await tryTake(options);
    if (lease !== null) await workWhileOurs(lease, options, stopped);
    else await options.clock.sleep(options.ttlMs / CHECKS_PER_TTL, stopped);
  }
}

async function tryTake(options: LeasedOptions): Promise<TakenLease | null> {
  const { db, name, holder, ttlMs } = options;
  try {
    const taken = await takeLease(db, { name, holder, ttlMs });
    if (taken === null) return null;
    options.emit({ event: "lease.taken", lease: name, fence: taken.fence });
    return { name, holder, ttlMs, fence: taken.fence };
  } catch (error) {
    options.emit({ event: "lease.lost", lease: name, error: errorMessage(error) });
    return null;
  }
}

async function workWhileOurs(
  lease: TakenLease,
  options: LeasedOptions,
  stopped: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  stopped.addEventListener("abort", end, { once: true });
  if (stopped.aborted) end();
  const kept = keepUntil(lease, options, ended);
  await options.work(lease.fence, ended.signal);
  end();
  await kept;
  stopped.removeEventListener("abort", end);
  await drop(lease, options);
}

/** Ends the work when the lease was taken by another, or could not be kept for its whole time. */
async function keepUntil(
  lease: TakenLease,
  options: LeasedOptions,
  ended: AbortController,
): Promise<void> {
  const { db, clock, emit, name, ttlMs } = options;
  let keptMs = performance.now();
  let checks = KEPT_EVERY;
  while (!ended.signal.aborted) {
    await clock.sleep((checks * ttlMs) / CHECKS_PER_TTL, ended.signal);
    if (ended.signal.aborted) return;
    const askedMs = performance.now();
    let error: string | null = null;
    try {
      if (await keepLease(db, lease)) keptMs = askedMs;
      else keptMs = Number.NEGATIVE_INFINITY;
      checks = KEPT_EVERY;
    } catch (failure) {
      error = errorMessage(failure);
      checks = 1;
    }
    if (performance.now() - keptMs >= ttlMs) {
      emit({ event: "lease.lost", lease: name, error });
      ended.abort();
    }
  }
}

async function drop(lease: TakenLease, options: LeasedOptions): Promise<void> {
  try {
    await dropLease(options.db, lease);
  } catch (error) {
    // It runs out by itself.
    options.emit({ event: "lease.lost", lease: options.name, error: errorMessage(error) });
  }
}
