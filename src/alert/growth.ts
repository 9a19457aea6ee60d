/** How much counters grew. A fall is a restart from zero. */
import { Cursor, type Points } from "./kernel.js";

export interface Grown {
  /** NaN: fewer than two samples. */
  readonly grown: number;
  /** Between the samples that were looked at. */
  readonly seconds: number;
}

const NOTHING: Grown = { grown: Number.NaN, seconds: 0 };

/** One counter. */
export class Growth {
  readonly #start: Cursor;
  readonly #end: Cursor;
  /** Indices at which it fell; null: looked for each time, since the column still moves. */
  #falls: readonly number[] | null = null;
  #fall = 0;

  constructor(
    readonly points: Points,
    readonly lookbackMs: number,
  ) {
    this.#start = new Cursor(points);
    this.#end = new Cursor(points);
  }

  /** From here on the column stays as it is: what is found once need not be looked for again. */
  freeze(): void {
    const { values, length } = this.points;
    const falls: number[] = [];
    for (let i = 1; i < length; i += 1) if (values[i]! < values[i - 1]!) falls.push(i);
    this.#falls = falls;
  }

  /**
   * Growth in (from, to]. The newest sample at or before the window's start is the base, so growth across the
   * border is not lost.
   */
  over(from: number, to: number): Grown {
    const { times } = this.points;
    const before = this.#start.indexAt(from);
    const isKnown = before >= 0 && times[before]! > from - this.lookbackMs;
    const first = isKnown ? before : before + 1;
    const last = this.#end.indexAt(to);
    if (last <= first) return NOTHING;
    return { grown: this.#between(first, last), seconds: (times[last]! - times[first]!) / 1_000 };
  }

  /** From top to top of each rise: the same sum whether falls are known or looked for. */
  #between(first: number, last: number): number {
    const { values } = this.points;
    let grown = 0;
    let base = values[first]!;
    for (let i = this.#nextFall(first, last); i <= last; i = this.#nextFall(i, last)) {
      grown += values[i - 1]! - base;
      base = 0;
    }
    return grown + values[last]! - base;
  }

  /** The first fall in (after, last]; beyond `last` when there is none. */
  #nextFall(after: number, last: number): number {
    if (this.#falls) return this.#knownFall(this.#falls, after);
    const { values } = this.points;
    let i = after + 1;
    while (i <= last && values[i]! >= values[i - 1]!) i += 1;
    return i;
  }

  #knownFall(falls: readonly number[], after: number): number {
    while (this.#fall > 0 && falls[this.#fall - 1]! > after) this.#fall -= 1;
    while (this.#fall < falls.length && falls[this.#fall]! <= after) this.#fall += 1;
    return falls[this.#fall] ?? Number.POSITIVE_INFINITY;
  }
}
