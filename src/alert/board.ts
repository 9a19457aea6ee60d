/**
 * The samples that rules are judged by, held in columns: one of times and one of values for each series. Production
 * appends what each round brings; a replay adopts decoded months as they are.
 */
import type { Labels } from "./instance.js";
import type { Series } from "./series.js";

/** One series. Only the first `length` entries count: the arrays grow ahead of what they hold. */
export interface Column {
  readonly metric: string;
  readonly labels: Labels;
  readonly length: number;
  /** Milliseconds since the epoch, strictly ascending. */
  readonly times: Float64Array;
  /** Finite. */
  readonly values: Float64Array;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type OwnColumn = Writable<Column>;

const FIRST_CAPACITY = 64;

export class Board {
  #generation = 0;
  readonly #byMetric = new Map<string, OwnColumn[]>();
  readonly #byKey = new Map<string, OwnColumn>();

  /** Grows when a series comes: whoever has grouped the columns groups them anew. */
  get generation(): number {
    return this.#generation;
  }

  columnsOf(metric: string): readonly Column[] {
    return this.#byMetric.get(metric) ?? [];
  }

  /** The same time again replaces; a late one is put where it belongs. What is not finite is no sample. */
  append(metric: string, labels: Labels, at: number, value: number): void {
    if (!Number.isFinite(value)) return;
    const column = this.#columnFor(metric, labels);
    const place = placeOf(column, at);
    if (place < column.length && column.times[place] === at) {
      column.values[place] = value;
      return;
    }
    makeRoom(column);
    if (place < column.length) {
      column.times.copyWithin(place + 1, place, column.length);
      column.values.copyWithin(place + 1, place, column.length);
    }
    column.times[place] = at;
    column.values[place] = value;
    column.length += 1;
  }

  /** Takes both arrays as they are, for a series that is not there yet; otherwise appends one by one. */
  adopt(metric: string, labels: Labels, times: Float64Array, values: Float64Array): void {
    const column = this.#columnFor(metric, labels);
    if (column.length > 0) {
      for (let i = 0; i < times.length; i += 1) this.append(metric, labels, times[i]!, values[i]!);
      return;
    }
    Object.assign(column, { times, values, length: times.length });
  }

  /**
   * Forgets what is older; the newest sample of each series stays, however old (the form `age`).
   * @param before in milliseconds, of all or of each metric
   */
  trim(before: number | ((metric: string) => number)): void {
    const limitOf = typeof before === "number" ? () => before : before;
    for (const column of this.#byKey.values()) {
      const first = Math.min(placeOf(column, limitOf(column.metric)), column.length - 1);
      // Moving what stays costs as much as what stays: only when at least half goes.
      if (first * 2 < column.length || first <= 0) continue;
      column.times = column.times.slice(first, column.length);
      column.values = column.values.slice(first, column.length);
      column.length -= first;
    }
  }

  #columnFor(metric: string, labels: Labels): OwnColumn {
    const key = seriesKey(metric, labels);
    const known = this.#byKey.get(key);
    if (known) return known;
    const times = new Float64Array(FIRST_CAPACITY);
    const column: OwnColumn = { metric, labels, length: 0, times, values: times.slice() };
    this.#byKey.set(key, column);
    this.#byMetric.set(metric, [...(this.#byMetric.get(metric) ?? []), column]);
    this.#generation += 1;
    return column;
  }
}

/** For tests, for one moment's look, and for samples that came as points. */
export function boardOf(series: readonly Series[]): Board {
  const board = new Board();
  for (const { metric, labels, points } of series) {
    for (const { at, value } of points) board.append(metric, labels, at, value);
  }
  return board;
}

function seriesKey(metric: string, labels: Labels): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([metric, pairs]);
}

/** The first place whose time is not before `at`; mostly the end, which is looked at first. */
function placeOf({ times, length }: Column, at: number): number {
  if (length === 0 || times[length - 1]! < at) return length;
  let [low, high] = [0, length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function makeRoom(column: OwnColumn): void {
  if (column.length < column.times.length) return;
  const capacity = Math.max(column.times.length * 2, FIRST_CAPACITY);
  column.times = grown(column.times, capacity);
  column.values = grown(column.values, capacity);
}

function grown(from: Float64Array, capacity: number): Float64Array {
  const to = new Float64Array(capacity);
  to.set(from);
  return to;
}
