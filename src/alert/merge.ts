/** Several series as one: a number for each moment at which any of them has a sample. */
import { aggregate, type Combine, Cursor, type Points } from "./kernel.js";

export interface MergeHow {
  readonly combine: Combine;
  /** A series that reports at other moments counts with its newest value, if it is younger than this. */
  readonly lookbackMs: number;
}

/** Of the moments in (from, to]. */
export function mergeColumns(
  columns: readonly Points[],
  how: MergeHow,
  from: number,
  to: number,
): Points {
  const places = Int32Array.from(columns, (column) => new Cursor(column).indexAt(from));
  const most = columns.reduce((sum, column, c) => sum + column.length - places[c]! - 1, 0);
  const times = new Float64Array(most);
  const values = new Float64Array(most);
  const seen = new Float64Array(columns.length);
  let length = 0;
  for (let at = nextMoment(columns, places); at <= to; at = nextMoment(columns, places)) {
    times[length] = at;
    values[length] = aggregate(how.combine, seen, 0, collect(columns, places, seen, at, how));
    length += 1;
  }
  return { times, values, length };
}

/** Infinity after the last. */
function nextMoment(columns: readonly Points[], places: Int32Array): number {
  let next = Number.POSITIVE_INFINITY;
  for (let c = 0; c < columns.length; c += 1) {
    const { times, length } = columns[c]!;
    const place = places[c]! + 1;
    if (place < length && times[place]! < next) next = times[place]!;
  }
  return next;
}

/** Goes to the moment in every series, and puts what is fresh there into `seen`. Answers how many. */
function collect(
  columns: readonly Points[],
  places: Int32Array,
  seen: Float64Array,
  at: number,
  { lookbackMs }: MergeHow,
): number {
  let count = 0;
  for (let c = 0; c < columns.length; c += 1) {
    const { times, values, length } = columns[c]!;
    const next = places[c]! + 1;
    if (next < length && times[next] === at) places[c] = next;
    const place = places[c]!;
    if (place < 0 || times[place]! <= at - lookbackMs) continue;
    seen[count] = values[place]!;
    count += 1;
  }
  return count;
}
