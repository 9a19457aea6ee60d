/** What fired in a replay, as stretches of time: made of the transitions of one rule. Pure; times are milliseconds. */
import type { Labels } from "../alert/instance.js";
import type { Transition } from "../alert/state.js";

export interface Firing {
  readonly instance: string;
  readonly labels: Labels;
  /** The strictest level that it reached. */
  readonly level: string;
  readonly from: number;
  /** Null: it fired on when the replay ended. */
  readonly to: number | null;
}

/** @param levels ids of the rule's levels, strictest last. In order of their beginning. */
export function firingsOf(transitions: readonly Transition[], levels: readonly string[]): Firing[] {
  const open = new Map<string, Firing>();
  const ended: Firing[] = [];
  for (const { kind, instance, labels, level, at } of transitions) {
    const known = open.get(instance);
    if (kind === "fired") open.set(instance, { instance, labels, level, from: at, to: null });
    if (known && kind === "upgraded" && levels.indexOf(level) > levels.indexOf(known.level))
      open.set(instance, { ...known, level });
    if (known && (kind === "resolved" || kind === "ended-by-edit")) {
      ended.push({ ...known, to: at });
      open.delete(instance);
    }
  }
  return [...ended, ...open.values()].sort((a, b) => a.from - b.from);
}

/** Those that fire at some time in [from, to]. */
export function within(firings: readonly Firing[], from: number, to: number): Firing[] {
  return firings.filter((one) => one.from <= to && (one.to === null || one.to > from));
}

/** What fires at a time, for times that only grow. */
export class Sweep {
  readonly #firings: readonly Firing[];
  #next = 0;
  #open: Firing[] = [];

  /** @param firings in order of their beginning */
  constructor(firings: readonly Firing[]) {
    this.#firings = firings;
  }

  at(now: number): readonly Firing[] {
    for (; (this.#firings[this.#next]?.from ?? Number.POSITIVE_INFINITY) <= now; this.#next += 1)
      this.#open.push(this.#firings[this.#next]!);
    if (this.#open.some(({ to }) => to !== null && to <= now))
      this.#open = this.#open.filter(({ to }) => to === null || to > now);
    return this.#open;
  }
}

/**
 * Those of `firings` at whose time the others do not fire: one instance that got equally bad is the same trouble.
 * Both in order of their beginning; those of one instance do not overlap.
 */
export function without(firings: readonly Firing[], others: readonly Firing[]): Firing[] {
  const sweeps = new Map<string, Firing[]>();
  for (const one of others) {
    const known = sweeps.get(keyOf(one));
    if (known) known.push(one);
    else sweeps.set(keyOf(one), [one]);
  }
  const places = new Map<string, number>();
  return firings.filter((one) => {
    const key = keyOf(one);
    const same = sweeps.get(key) ?? [];
    let place = places.get(key) ?? 0;
    while (place < same.length && endOf(same[place]!) <= one.from) place += 1;
    places.set(key, place);
    const other = same[place];
    return other === undefined || other.from >= endOf(one);
  });
}

function keyOf({ instance, level }: Firing): string {
  return `${level} ${instance}`;
}

function endOf({ to }: Firing): number {
  return to ?? Number.POSITIVE_INFINITY;
}
