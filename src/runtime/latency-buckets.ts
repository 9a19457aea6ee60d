/** How long answers took, counted by bucket: buckets of several processes add up, percentiles never do. */

/** Upper bounds in milliseconds; the lines of the shipped rules (500, 1000, 2000) are among them. */
export const LATENCY_BOUNDS_MS = [5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10_000] as const;

export interface BucketCount {
  /** The label: a bound in milliseconds, or `+Inf`, which counts all. */
  readonly le: string;
  /** How many took at most so long. */
  readonly count: number;
}

export class LatencyBuckets {
  /** By place of the least bound that holds it; one more for those beyond the last. */
  readonly #counts = new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0);

  observe(durationMs: number): void {
    const place = LATENCY_BOUNDS_MS.findIndex((bound) => durationMs <= bound);
    this.#counts[place < 0 ? LATENCY_BOUNDS_MS.length : place]! += 1;
  }

  /** Cumulative, least bound first; all zeros before the first. */
  read(): BucketCount[] {
    let upTo = 0;
    return this.#counts.map((count, place) => {
      upTo += count;
      return { le: String(LATENCY_BOUNDS_MS[place] ?? "+Inf"), count: upTo };
    });
  }
}
