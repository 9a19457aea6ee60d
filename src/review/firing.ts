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

/** Whether two of one instance fire at one time and got equally bad: then they are the same trouble. */
export function overlaps(a: Firing, b: Firing): boolean {
  const isOpen = (end: number | null, begin: number) => end === null || end > begin;
  const isSame = a.instance === b.instance && a.level === b.level;
  return isSame && isOpen(a.to, b.from) && isOpen(b.to, a.from);
}
