/** How many more jobs of each kind this process may run now. Pure bookkeeping of one process. */

export interface KindLimit {
  readonly kind: string;
  /** At once in this process (HB-wrk-01). */
  readonly concurrency: number;
  /** At once over all processes; the claim statement enforces it. */
  readonly globalMax: number | null;
}

export interface FreeSlots {
  readonly kind: string;
  readonly free: number;
  readonly globalMax: number | null;
}

export class Slots {
  readonly #taken = new Map<string, number>();

  take(kind: string): void {
    this.#taken.set(kind, this.taken(kind) + 1);
  }

  release(kind: string): void {
    this.#taken.set(kind, this.taken(kind) - 1);
  }

  taken(kind: string): number {
    return this.#taken.get(kind) ?? 0;
  }

  /** Kinds with room. A limit lowered by a new policy takes effect as running jobs end. */
  free(limits: readonly KindLimit[]): FreeSlots[] {
    return limits
      .map(({ kind, concurrency, globalMax }) => ({
        kind,
        free: concurrency - this.taken(kind),
        globalMax,
      }))
      .filter(({ free }) => free > 0);
  }
}
