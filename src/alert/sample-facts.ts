/** Which samples a number came from: for each series how many, from when to when, and the widest hole. */
import type { Selector } from "../policy/policy.js";
import { selectorsOf } from "../policy/selectors.js";
import type { Board, Column } from "./board.js";
import type { CompiledRule } from "./compile.js";
import { instanceKey, instanceLabels, type Labels } from "./instance.js";

export interface SampleFacts {
  readonly metric: string;
  readonly labels: Labels;
  /** Samples that the tick could see. */
  readonly count: number;
  /** Null: there is none. */
  readonly firstAt: Date | null;
  readonly lastAt: Date | null;
  readonly last: number | null;
  /** Between two samples, or the last one and the tick, in milliseconds; null: there is none. */
  readonly widestGapMs: number | null;
}

/** Series of one instance at one tick, those with the fewest samples first: they are what is looked for. */
export function sampleFacts(
  { rule, spanMs }: CompiledRule,
  board: Board,
  instance: string,
  at: number,
): SampleFacts[] {
  const from = spanMs === null ? Number.NEGATIVE_INFINITY : at - spanMs;
  return selectorsOf(rule.signal)
    .flatMap((selector) => columnsOf(board, selector, rule.by, instance))
    .map((column) => factsOf(column, from, at))
    .sort((a, b) => a.count - b.count);
}

function columnsOf(
  board: Board,
  { metric, where }: Selector,
  by: readonly string[],
  instance: string,
): Column[] {
  const wanted = Object.entries(where);
  return board
    .columnsOf(metric)
    .filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value))
    .filter(({ labels }) => instanceKey(instanceLabels(labels, by)) === instance);
}

function factsOf({ metric, labels, times, values, length }: Column, from: number, at: number) {
  let [count, widest, lastIndex] = [0, 0, -1];
  let firstAt: number | null = null;
  for (let i = 0; i < length && times[i]! <= at; i += 1) {
    if (times[i]! <= from) continue;
    if (lastIndex >= 0) widest = Math.max(widest, times[i]! - times[lastIndex]!);
    firstAt ??= times[i]!;
    lastIndex = i;
    count += 1;
  }
  const lastAt = lastIndex < 0 ? null : times[lastIndex]!;
  return {
    ...{ metric, labels, count },
    firstAt: firstAt === null ? null : new Date(firstAt),
    lastAt: lastAt === null ? null : new Date(lastAt),
    last: lastAt === null ? null : values[lastIndex]!,
    widestGapMs: lastAt === null ? null : Math.max(widest, at - lastAt),
  };
}
