/**
 * The arithmetic of windows over columns. One way of computing for production, which asks for one tick, and for a
 * replay, which asks for a million: sums are always added directly and in order of time, so that both see the same
 * number to the last bit. Windows are half-open: (from, to]. NaN is "no data".
 */
import type { Aggregate } from "../policy/policy.js";
import type { Column } from "./board.js";

export type Combine = "sum" | "avg" | "min" | "max";

/** Ticks that follow each other: `count` of them from `from` on, in milliseconds. */
export interface Ticks {
  readonly from: number;
  readonly everyMs: number;
  readonly count: number;
}

/** Samples of one series, or of several combined. Only the first `length` entries count; times ascend strictly. */
export type Points = Pick<Column, "times" | "values" | "length">;

/** Beyond so many steps a jump is searched for by halves. */
const STEPS_MAX = 8;

/** Follows time through a column: where it was asked last is mostly near where it is asked next. */
export class Cursor {
  #place = 0;

  constructor(readonly points: Points) {}

  /** Index of the newest sample at or before `at`; -1 when there is none. */
  indexAt(at: number): number {
    const { times, length } = this.points;
    let i = Math.min(this.#place, length - 1);
    if (i < 0 || times[i]! > at) {
      i = lastAtOrBefore(times, at, -1, i);
    } else {
      const stop = i + STEPS_MAX;
      while (i < stop && i + 1 < length && times[i + 1]! <= at) i += 1;
      if (i === stop) i = lastAtOrBefore(times, at, i, length);
    }
    this.#place = Math.max(i, 0);
    return i;
  }

  /** The same, but -1 when that sample is as old as `lookbackMs` or older. */
  freshAt(at: number, lookbackMs: number): number {
    const i = this.indexAt(at);
    return i >= 0 && this.points.times[i]! > at - lookbackMs ? i : -1;
  }
}

/** The last index in [low, high) whose time is at or before `at`; `low` when none is after it. */
function lastAtOrBefore(times: Float64Array, at: number, low: number, high: number): number {
  let [before, after] = [low, high];
  while (after - before > 1) {
    const middle = (before + after) >> 1;
    if (times[middle]! <= at) before = middle;
    else after = middle;
  }
  return before;
}

/** Values [first, end) as one number; NaN for none. Percentiles are by nearest rank: a value that was really seen. */
export function aggregate(fn: Aggregate, values: Float64Array, first: number, end: number): number {
  if (end <= first) return Number.NaN;
  switch (fn) {
    case "avg":
      return mean(values, first, end);
    case "sum":
      return sum(values, first, end);
    case "min":
      return least(values, first, end);
    case "max":
      return most(values, first, end);
    case "count":
      return end - first;
    default:
      return nearestRank(values.slice(first, end), PERCENTILES[fn]);
  }
}

export const PERCENTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999 } as const;

/** Around the first value, so that the mean of equal values is that value to the last bit. */
function mean(values: Float64Array, first: number, end: number): number {
  const origin = values[first]!;
  let off = 0;
  for (let i = first; i < end; i += 1) off += values[i]! - origin;
  return origin + off / (end - first);
}

function sum(values: Float64Array, first: number, end: number): number {
  let total = 0;
  for (let i = first; i < end; i += 1) total += values[i]!;
  return total;
}

function least(values: Float64Array, first: number, end: number): number {
  let found = values[first]!;
  for (let i = first + 1; i < end; i += 1) if (values[i]! < found) found = values[i]!;
  return found;
}

function most(values: Float64Array, first: number, end: number): number {
  let found = values[first]!;
  for (let i = first + 1; i < end; i += 1) if (values[i]! > found) found = values[i]!;
  return found;
}

/** Sorts what it is given. */
function nearestRank(values: Float64Array, share: number): number {
  values.sort();
  return values[Math.max(Math.ceil(share * values.length) - 1, 0)]!;
}

/** Several series at one moment as one number: each counts with its newest value inside the look-back. */
export class Combination {
  readonly #cursors: readonly Cursor[];
  readonly #seen: Float64Array;

  constructor(
    columns: readonly Points[],
    readonly combine: Combine,
    readonly lookbackMs: number,
  ) {
    this.#cursors = columns.map((column) => new Cursor(column));
    this.#seen = new Float64Array(columns.length);
  }

  valueAt(at: number): number {
    let count = 0;
    for (const cursor of this.#cursors) {
      const i = cursor.freshAt(at, this.lookbackMs);
      if (i < 0) continue;
      this.#seen[count] = cursor.points.values[i]!;
      count += 1;
    }
    return aggregate(this.combine, this.#seen, 0, count);
  }

  /** The same at ticks that follow each other. */
  valuesInto(out: Float64Array, { from, everyMs, count }: Ticks): void {
    const only = this.#cursors.length === 1 ? this.#cursors[0] : undefined;
    if (only) {
      newestInto(out, only, { from, everyMs, count }, this.lookbackMs);
      return;
    }
    for (let i = 0; i < count; i += 1) out[i] = this.valueAt(from + i * everyMs);
  }
}

function newestInto(out: Float64Array, cursor: Cursor, ticks: Ticks, lookbackMs: number): void {
  const { from, everyMs, count } = ticks;
  const { times, values, length } = cursor.points;
  let place = cursor.indexAt(from);
  for (let i = 0; i < count; i += 1) {
    const at = from + i * everyMs;
    while (place + 1 < length && times[place + 1]! <= at) place += 1;
    out[i] = place >= 0 && times[place]! > at - lookbackMs ? values[place]! : Number.NaN;
  }
}
