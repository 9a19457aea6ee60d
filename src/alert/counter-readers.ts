/** The value forms over what counts up: growth, shares of it, and how fast a budget burns. */
import type { Selector, Signal } from "../policy/policy.js";
import type { Column } from "./board.js";
import type { CompiledRule } from "./compile.js";
import { type Grown, Growth } from "./growth.js";
import { boundOf } from "./histogram.js";
import { aggregate, type Cursor } from "./kernel.js";
import { bordersOf, type Reader, type Sides } from "./reader.js";

/** Counters of one side of a rule. */
export class Counters {
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

export const grownOf = ({ grown }: Grown): number => grown;
const perSecondOf = ({ grown, seconds }: Grown): number => grown / seconds;

export class GrowthReader implements Reader {
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
export class ShareReader implements Reader {
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
export class BurnReader implements Reader {
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
