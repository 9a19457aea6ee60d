/** How busy this process is with each kind, and so how many more jobs of it to claim. Pure bookkeeping of one process. */

export interface KindLimit {
  readonly kind: string;
  /** Handlers at once in this process (HB-wrk-01). */
  readonly concurrency: number;
  /** Jobs of the kind at once over all processes; null for no limit. */
  readonly globalMax: number | null;
  /** Starts of the kind in a time over all processes; null for no limit. */
  readonly rateLimit: { readonly max: number; readonly perMs: number } | null;
}

export interface KindWant extends KindLimit {
  /** Jobs that this process could take now. */
  readonly free: number;
  /** Those that it holds are over in a moment. */
  readonly quick: boolean;
}

/** Only jobs that are quicker than a claim are claimed ahead: of others no more are running in the rows than here. */
const QUICK_MS = 5;
/** For so long: no slot ever waits for a claim. */
const AHEAD_MS = 250;
/** Weight of the newest job in the mean of handler times. */
const NEWEST_WEIGHT = 0.1;
/** A handler that only returns still costs this much. */
const HANDLER_MIN_MS = 0.02;

interface Load {
  running: number;
  buffered: number;
  /** Mean time of a handler in ms; null until one has ended: then nothing is claimed ahead. */
  meanMs: number | null;
}

export class KindLoad {
  readonly #loads = new Map<string, Load>();
  readonly #aheadMax: number;

  /** `aheadMax`: jobs of a kind that may wait here for a slot. They count under the limits over all processes. */
  constructor(aheadMax: number) {
    this.#aheadMax = aheadMax;
  }

  running(kind: string): number {
    return this.#of(kind).running;
  }

  started(kind: string): void {
    this.#of(kind).running += 1;
  }

  ended(kind: string, tookMs: number): void {
    const load = this.#of(kind);
    load.running -= 1;
    const before = load.meanMs ?? tookMs;
    load.meanMs = before + (tookMs - before) * NEWEST_WEIGHT;
  }

  /** Jobs went into the buffer, or left it (negative). */
  buffered(kind: string, change: number): void {
    this.#of(kind).buffered += change;
  }

  /**
   * Kinds with room. While slots are taken and half of what may wait is here, it is not worth a claim.
   * A limit lowered by a new policy takes effect as running jobs end.
   */
  wants(limits: readonly KindLimit[]): KindWant[] {
    const wants: KindWant[] = [];
    for (const limit of limits) {
      const { running, buffered } = this.#of(limit.kind);
      const ahead = this.#ahead(limit);
      const idle = limit.concurrency - running - buffered;
      const free = idle + ahead;
      if (free > 0 && (idle > 0 || buffered <= ahead / 2)) {
        wants.push({ ...limit, free, quick: this.isQuick(limit.kind) });
      }
    }
    return wants;
  }

  /** Handlers of this kind are over before a claim would be. */
  isQuick(kind: string): boolean {
    const { meanMs } = this.#of(kind);
    return meanMs !== null && meanMs < QUICK_MS;
  }

  #ahead({ kind, concurrency, globalMax, rateLimit }: KindLimit): number {
    const { meanMs } = this.#of(kind);
    // Starts are counted when they are claimed; and of one in the world none waits behind it.
    if (meanMs === null || meanMs >= QUICK_MS || rateLimit !== null || globalMax === 1) return 0;
    const inTime = (concurrency * AHEAD_MS) / Math.max(meanMs, HANDLER_MIN_MS);
    return Math.min(Math.floor(inTime), this.#aheadMax);
  }

  #of(kind: string): Load {
    let load = this.#loads.get(kind);
    if (load === undefined) {
      load = { running: 0, buffered: 0, meanMs: null };
      this.#loads.set(kind, load);
    }
    return load;
  }
}
