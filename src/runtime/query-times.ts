/** How long the database took to answer this process, between two looks: the newest of them, exact, in bounded memory. */

/** Of a busy process these are the last seconds of a round. */
const KEPT_MAX = 4_096;
const SHARE = 0.95;

export class QueryTimes {
  readonly #kept = new Float64Array(KEPT_MAX);
  #count = 0;

  observe(tookMs: number): void {
    this.#kept[this.#count % KEPT_MAX] = tookMs;
    this.#count += 1;
  }

  /** The least time within which 95 of 100 answers came, in ms (nearest rank); null when nothing was asked. */
  takeP95Ms(): number | null {
    const count = Math.min(this.#count, KEPT_MAX);
    this.#count = 0;
    if (count === 0) return null;
    return this.#kept.slice(0, count).sort()[Math.ceil(SHARE * count) - 1]!;
  }
}
