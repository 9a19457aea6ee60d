/** The value forms of alerting.md 1.6, each over the columns of one instance. NaN is no data. */
import { unreachable } from "../base/assert.js";
import type { Selector } from "../policy/policy.js";
import type { Column } from "./board.js";
import type { CompiledRule } from "./compile.js";
import { BurnReader, Counters, GrowthReader, grownOf, ShareReader } from "./counter-readers.js";
import { type Bucket, boundOf, quantileOf, totalOf } from "./histogram.js";
import { Combination, Cursor, PERCENTILES, type Ticks } from "./kernel.js";
import { type Reader, readInto, type Sides, type Windowed } from "./reader.js";
import { WindowReader } from "./window-reader.js";

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
