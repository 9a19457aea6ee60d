/** Ways to the same number that are shorter where windows follow each other closely over points that stay as they are. */
import type { Aggregate } from "../policy/policy.js";
import type { Points } from "./kernel.js";

export interface Shortcut {
  /** What `aggregate` would say of points [first, end), to the last bit; null: no short way here. */
  over(first: number, end: number): number | null;
}

/** Null for what has none: a sum of equal values is rounded at every step. */
export function shortcutOf(fn: Aggregate, points: Points): Shortcut | null {
  if (fn === "min" || fn === "max") return new Extreme(fn, points);
  return fn === "sum" || fn === "count" ? null : new Level(points);
}

/** Where all values of a window are one, so are their mean and their percentiles. */
class Level implements Shortcut {
  /** Of each point the first of those before it that have its value without a break. */
  readonly #since: Int32Array;

  constructor(private readonly points: Points) {
    const { values, length } = points;
    this.#since = new Int32Array(length);
    for (let i = 1; i < length; i += 1) {
      this.#since[i] = values[i] === values[i - 1] ? this.#since[i - 1]! : i;
    }
  }

  over(first: number, end: number): number | null {
    const isLevel = end > first && this.#since[end - 1]! <= first;
    return isLevel ? this.points.values[first]! : null;
  }
}

/** Remembers where the last window had its least or greatest: only what came since can beat it while it is inside. */
class Extreme implements Shortcut {
  #best = -1;
  #end = 0;
  readonly #sign: 1 | -1;

  constructor(
    fn: "min" | "max",
    private readonly points: Points,
  ) {
    this.#sign = fn === "min" ? 1 : -1;
  }

  over(first: number, end: number): number | null {
    if (end <= first) return null;
    const { values } = this.points;
    const goesOn = this.#best >= first && this.#end <= end;
    let best = goesOn ? this.#best : first;
    const sign = this.#sign;
    // Of equals the newest, which stays inside for longest.
    for (let i = goesOn ? this.#end : first + 1; i < end; i += 1) {
      if (values[i]! * sign <= values[best]! * sign) best = i;
    }
    this.#best = best;
    this.#end = end;
    return values[best]!;
  }
}
