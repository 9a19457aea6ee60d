/** What every value form of a rule can do. NaN is no data. */
import type { Aggregate } from "../policy/policy.js";
import type { Column } from "./board.js";
import { Cursor, type Points, type Ticks } from "./kernel.js";

export interface Reader {
  /** The number at a tick, in the metric's unit; NaN: no data. */
  valueAt(at: number): number;
  /** The numbers at `count` ticks from `from` on, as valueAt would say them one by one. */
  valuesInto?(out: Float64Array, ticks: Ticks): void;
  /** Promises that ticks from `from` to `to` are asked and no sample comes or goes: work may be done ahead. */
  freeze(from: number, to: number): void;
}

/** Into the first `count` places of `out`. */
export function readInto(out: Float64Array, reader: Reader, ticks: Ticks): void {
  if (reader.valuesInto) {
    reader.valuesInto(out, ticks);
    return;
  }
  const { from, everyMs, count } = ticks;
  for (let i = 0; i < count; i += 1) out[i] = reader.valueAt(from + i * everyMs);
}

export type Sides = readonly [readonly Column[], readonly Column[]];

/** How a gauge or a histogram is aggregated over time. */
export interface Windowed {
  readonly fn: Aggregate;
  readonly overMs: number;
  readonly fullWindow: boolean;
}

/** For both ends of a window. */
export function bordersOf(points: Points): [Cursor, Cursor] {
  return [new Cursor(points), new Cursor(points)];
}
