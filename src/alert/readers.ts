/** The value forms of alerting.md 1.6, each over the columns of one instance. NaN is no data. */
import { unreachable } from "../base/assert.js";
import type { Aggregate, Selector, Signal } from "../policy/policy.js";
import type { Column } from "./board.js";
import type { CompiledRule } from "./compile.js";
import { type Grown, Growth } from "./growth.js";
import { type Bucket, boundOf, quantileOf, totalOf } from "./histogram.js";
import { aggregate, Combination, Cursor, PERCENTILES, type Points, type Ticks } from "./kernel.js";
import { mergeColumns } from "./merge.js";
import { type Shortcut, shortcutOf } from "./shortcut.js";

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

export function readerOf(rule: CompiledRule, [first, second]: Sides): Reader {
  const { signal, combine } = rule.rule;
  switch (signal.form) {
    case "last":
      return new LastReader(new Combination(first, combine, rule.lookbackMs));
    case "agg":
      return windowReader(rule, signal, signal.of, first);
    case "rate":
    case "increase":
      return new GrowthReader(rule, signal, first);
    case "ratio":
      return new ShareReader(rule, signal, signal.num, [first, second]);
    case "div":
      return new QuotientReader(
        windowReader(rule, signal, signal.num, first),
        windowReader(rule, signal, signal.den, second),
      );
    case "age":
      return new AgeReader(rule, signal.of, first);
    case "burn":
      return new BurnReader(rule, signal, [first, second]);
    default:
      return unreachable(signal);
  }
}

interface Windowed {
  readonly fn: Aggregate;
  readonly overMs: number;
  readonly fullWindow: boolean;
}

function windowReader(
  rule: CompiledRule,
  how: Windowed,
  selector: Selector,
  columns: readonly Column[],
): Reader {
  const isHistogram = rule.catalogue[selector.metric]?.kind === "histogram";
  return isHistogram
    ? new HistogramReader(rule, how, columns)
    : new WindowReader(rule, how, columns);
}

class LastReader implements Reader {
  constructor(private readonly together: Combination) {}

  valueAt(at: number): number {
    return this.together.valueAt(at);
  }

  valuesInto(out: Float64Array, ticks: Ticks): void {
    this.together.valuesInto(out, ticks);
  }

  freeze(): void {}
}

/** Series are combined at each moment before time is aggregated. */
class WindowReader implements Reader {
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

function bordersOf(points: Points): [Cursor, Cursor] {
  return [new Cursor(points), new Cursor(points)];
}

/** Counters of one side of a rule. */
class Counters {
  readonly #all: readonly Growth[];
  readonly #seen: Float64Array;

  constructor(columns: readonly Column[], lookbackMs: number) {
    this.#all = columns.map((column) => new Growth(column, lookbackMs));
    this.#seen = new Float64Array(columns.length);
  }

  freeze(): void {
    for (const one of this.#all) one.freeze();
  }

  /** How much each grew in (from, to], as one number. */
  over(
    from: number,
    to: number,
    combine: CompiledRule["rule"]["combine"],
    measure: (grown: Grown) => number,
  ): number {
    let count = 0;
    for (const one of this.#all) {
      const value = measure(one.over(from, to));
      if (Number.isNaN(value)) continue;
      this.#seen[count] = value;
      count += 1;
    }
    return aggregate(combine, this.#seen, 0, count);
  }
}

/** Of a histogram the bucket that counts all: the others count the same things again. */
function countingColumns(
  { catalogue }: CompiledRule,
  { metric }: Selector,
  columns: readonly Column[],
): readonly Column[] {
  if (catalogue[metric]?.kind !== "histogram") return columns;
  return columns.filter(({ labels }) => boundOf(labels) === Number.POSITIVE_INFINITY);
}

const grownOf = ({ grown }: Grown): number => grown;
const perSecondOf = ({ grown, seconds }: Grown): number => grown / seconds;

class GrowthReader implements Reader {
  readonly #counters: Counters;
  readonly #overMs: number;
  readonly #measure: (grown: Grown) => number;

  constructor(
    private readonly rule: CompiledRule,
    signal: Extract<Signal, { form: "rate" | "increase" }>,
    columns: readonly Column[],
  ) {
    const counting = countingColumns(rule, signal.of, columns);
    this.#counters = new Counters(counting, rule.lookbackMs);
    this.#overMs = signal.overMs;
    this.#measure = signal.form === "rate" ? perSecondOf : grownOf;
  }

  freeze(): void {
    this.#counters.freeze();
  }

  valueAt(at: number): number {
    return this.#counters.over(at - this.#overMs, at, this.rule.rule.combine, this.#measure);
  }
}

/** How many happened in a window, over all series: growth of counters, sum of counts. */
class Volume {
  readonly #counters: Counters | null;
  readonly #windows: readonly (readonly [Cursor, Cursor])[];

  constructor(rule: CompiledRule, selector: Selector, columns: readonly Column[]) {
    const kind = rule.catalogue[selector.metric]?.kind;
    const isCounting = kind === "counter" || kind === "histogram";
    const counting = countingColumns(rule, selector, columns);
    this.#counters = isCounting ? new Counters(counting, rule.lookbackMs) : null;
    this.#windows = isCounting ? [] : columns.map(bordersOf);
  }

  freeze(): void {
    this.#counters?.freeze();
  }

  over(from: number, to: number): number {
    if (this.#counters) return this.#counters.over(from, to, "sum", grownOf);
    let [total, count] = [0, 0];
    for (const [start, end] of this.#windows) {
      const { values } = start.points;
      const last = end.indexAt(to);
      for (let i = start.indexAt(from) + 1; i <= last; i += 1) {
        total += values[i]!;
        count += 1;
      }
    }
    return count === 0 ? Number.NaN : total;
  }
}

interface Share {
  readonly all: Selector;
  readonly overMs: number;
  readonly minAll: number;
}

/** 0/0 is no data, not 0 and not 100 %; too few to judge is no data as well. */
class ShareReader implements Reader {
  readonly #part: Volume;
  readonly #all: Volume;

  constructor(
    rule: CompiledRule,
    private readonly share: Share,
    part: Selector,
    [first, second]: Sides,
  ) {
    this.#part = new Volume(rule, part, first);
    this.#all = new Volume(rule, share.all, second);
  }

  freeze(): void {
    this.#part.freeze();
    this.#all.freeze();
  }

  valueAt(at: number): number {
    const from = at - this.share.overMs;
    const all = this.#all.over(from, at);
    if (!(all > 0) || all < this.share.minAll) return Number.NaN;
    const part = this.#part.over(from, at);
    // A class that never occurred has no series yet: none of them, out of many.
    return (Number.isNaN(part) ? 0 : part) / all;
  }
}

/** The smaller of both windows, in multiples of the budget 1 − slo. Only the long one must hold `minAll`. */
class BurnReader implements Reader {
  readonly #long: ShareReader;
  readonly #short: ShareReader;

  constructor(
    rule: CompiledRule,
    private readonly signal: Extract<Signal, { form: "burn" }>,
    sides: Sides,
  ) {
    const { bad, all, longMs, shortMs, minAll } = signal;
    this.#long = new ShareReader(rule, { all, overMs: longMs, minAll }, bad, sides);
    this.#short = new ShareReader(rule, { all, overMs: shortMs, minAll: 1 }, bad, sides);
  }

  freeze(): void {
    this.#long.freeze();
    this.#short.freeze();
  }

  valueAt(at: number): number {
    return Math.min(this.#long.valueAt(at), this.#short.valueAt(at)) / (1 - this.signal.slo);
  }
}

/** A missing or zero divisor is no data. */
class QuotientReader implements Reader {
  #dens = new Float64Array();

  constructor(
    private readonly num: Reader,
    private readonly den: Reader,
  ) {}

  freeze(from: number, to: number): void {
    this.num.freeze(from, to);
    this.den.freeze(from, to);
  }

  valueAt(at: number): number {
    const den = this.den.valueAt(at);
    return den === 0 ? Number.NaN : this.num.valueAt(at) / den;
  }

  valuesInto(out: Float64Array, ticks: Ticks): void {
    const { count } = ticks;
    if (this.#dens.length < count) this.#dens = new Float64Array(count);
    readInto(out, this.num, ticks);
    readInto(this.#dens, this.den, ticks);
    for (let i = 0; i < count; i += 1) {
      out[i] = this.#dens[i] === 0 ? Number.NaN : out[i]! / this.#dens[i]!;
    }
  }
}

/** Seconds since the newest sample, or since the moment it holds (in seconds since the epoch). */
class AgeReader implements Reader {
  readonly #cursors: readonly Cursor[];
  readonly #holdsMoment: boolean;
  /** Of several processes that beat, the freshest counts, unless the rule asks for the stalest. */
  readonly #asksStalest: boolean;

  constructor(rule: CompiledRule, of: Selector, columns: readonly Column[]) {
    this.#cursors = columns.map((column) => new Cursor(column));
    this.#holdsMoment = rule.catalogue[of.metric]?.unit === "timestamp";
    this.#asksStalest = rule.rule.combine === "max";
  }

  freeze(): void {}

  valueAt(at: number): number {
    let found = Number.NaN;
    for (const cursor of this.#cursors) {
      const i = cursor.indexAt(at);
      if (i < 0) continue;
      const { times, values } = cursor.points;
      const age = at / 1_000 - (this.#holdsMoment ? values[i]! : times[i]! / 1_000);
      const counts = Number.isNaN(found) || (this.#asksStalest ? age > found : age < found);
      if (counts) found = age;
    }
    return found;
  }
}

class HistogramReader implements Reader {
  readonly #buckets: readonly { readonly bound: number; readonly counters: Counters }[];

  constructor(
    rule: CompiledRule,
    private readonly how: Windowed,
    columns: readonly Column[],
  ) {
    const bounds = [...new Set(columns.map(({ labels }) => boundOf(labels)))];
    this.#buckets = bounds
      .filter((bound) => !Number.isNaN(bound))
      .sort((a, b) => a - b)
      .map((bound) => {
        const ofBound = columns.filter(({ labels }) => boundOf(labels) === bound);
        return { bound, counters: new Counters(ofBound, rule.lookbackMs) };
      });
  }

  freeze(): void {
    for (const { counters } of this.#buckets) counters.freeze();
  }

  valueAt(at: number): number {
    const grown = this.#buckets.map(({ bound, counters }): Bucket => {
      const count = counters.over(at - this.how.overMs, at, "sum", grownOf);
      return { bound, count };
    });
    const { fn } = this.how;
    if (fn in PERCENTILES) return quantileOf(PERCENTILES[fn as keyof typeof PERCENTILES], grown);
    // The checks of the policies allow nothing else: a histogram has no average.
    return fn === "count" ? totalOf(grown) : Number.NaN;
  }
}
