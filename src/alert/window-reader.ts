/** A gauge over a window. */
import type { Column } from "./board.js";
import type { CompiledRule } from "./compile.js";
import { aggregate, type Cursor, type Points, type Ticks } from "./kernel.js";
import { mergeColumns } from "./merge.js";
import { bordersOf, type Reader, type Windowed } from "./reader.js";
import { type Shortcut, shortcutOf } from "./shortcut.js";

/** Series are combined at each moment before time is aggregated. */
export class WindowReader implements Reader {
  #start: Cursor;
  #end: Cursor;
  /** Of each point the newest one at or before it that ends a hole; null: looked for each time. */
  #holes: Int32Array | null = null;
  #isFrozen = false;
  #shortcut: Shortcut | null = null;

  constructor(
    private readonly rule: CompiledRule,
    private readonly how: Windowed,
    private readonly columns: readonly Column[],
  ) {
    [this.#start, this.#end] = bordersOf(columns[0] ?? NO_POINTS);
  }

  freeze(from: number, to: number): void {
    this.#merge(from - this.how.overMs, to);
    this.#isFrozen = true;
    if (this.how.fullWindow) this.#holes = holesOf(this.#start.points, this.rule.lookbackMs);
    this.#shortcut = shortcutOf(this.how.fn, this.#start.points);
  }

  valueAt(at: number): number {
    const from = at - this.how.overMs;
    if (!this.#isFrozen) this.#merge(from, at);
    const before = this.#start.indexAt(from);
    const end = this.#end.indexAt(at) + 1;
    if (this.how.fullWindow && !this.#isCovered(before, end, from, at)) return Number.NaN;
    return this.#over(before + 1, end);
  }

  /** Both borders of the window only move on, so they are walked and not looked for. */
  valuesInto(out: Float64Array, { from, everyMs, count }: Ticks): void {
    const { times, length } = this.#start.points;
    const { overMs, fullWindow } = this.how;
    let before = this.#start.indexAt(from - overMs);
    let end = this.#end.indexAt(from) + 1;
    for (let i = 0; i < count; i += 1) {
      const at = from + i * everyMs;
      while (before + 1 < length && times[before + 1]! <= at - overMs) before += 1;
      while (end < length && times[end]! <= at) end += 1;
      const isOpen = fullWindow && !this.#isCovered(before, end, at - overMs, at);
      out[i] = isOpen ? Number.NaN : this.#over(before + 1, end);
    }
  }

  #over(first: number, end: number): number {
    const known = this.#shortcut ? this.#shortcut.over(first, end) : null;
    return known ?? aggregate(this.how.fn, this.#start.points.values, first, end);
  }

  /** A single series is read where it stands. */
  #merge(from: number, to: number): void {
    if (this.columns.length < 2) return;
    const { lookbackMs } = this.rule;
    const how = { combine: this.rule.rule.combine, lookbackMs };
    [this.#start, this.#end] = bordersOf(mergeColumns(this.columns, how, from - lookbackMs, to));
  }

  /** Known at the window's start, and no hole inside it that is wider than what we bridge. */
  #isCovered(before: number, end: number, from: number, to: number): boolean {
    const { times } = this.#start.points;
    const holeMaxMs = this.rule.lookbackMs;
    if (before < 0 || times[before]! <= from - holeMaxMs) return false;
    if (before + 1 === end) return to - from < holeMaxMs;
    if (times[before + 1]! - from >= holeMaxMs || to - times[end - 1]! >= holeMaxMs) return false;
    return this.#newestHole(before + 1, end - 1) <= before + 1;
  }

  /** Index of the newest point in (first, last] that comes too long after the one before it; `first` when none does. */
  #newestHole(first: number, last: number): number {
    if (this.#holes) return Math.max(this.#holes[last]!, first);
    const { times } = this.#start.points;
    let i = last;
    while (i > first && times[i]! - times[i - 1]! < this.rule.lookbackMs) i -= 1;
    return i;
  }
}

function holesOf({ times, length }: Points, holeMaxMs: number): Int32Array {
  const holes = new Int32Array(length);
  for (let i = 1; i < length; i += 1) {
    holes[i] = times[i]! - times[i - 1]! >= holeMaxMs ? i : holes[i - 1]!;
  }
  return holes;
}

const NO_POINTS: Points = { times: new Float64Array(), values: new Float64Array(), length: 0 };
