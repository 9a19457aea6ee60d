/**
 * Samples → one number for each instance of a rule, or no data (alerting.md 1.6). Knows which series make an
 * instance; knows nothing of thresholds, time that must pass, or people.
 */
import type { Selector } from "../policy/policy.js";
import { selectorsOf } from "../policy/selectors.js";
import type { Board, Column } from "./board.js";
import type { CompiledRule } from "./compile.js";
import { instanceKey, instanceLabels, type Labels } from "./instance.js";
import { Cursor } from "./kernel.js";
import type { Reader } from "./reader.js";
import { readerOf } from "./readers.js";

/** What a rule sees of one instance at one tick. Null is no data, which is neither good nor bad. */
export interface Reading {
  readonly instance: string;
  readonly labels: Labels;
  readonly value: number | null;
}

/** One instance and the way to its numbers. */
export interface Measured {
  readonly instance: string;
  readonly labels: Labels;
  readonly reader: Reader;
  /** Whether it has a sample that the rule may look at: what ended long ago is no instance. */
  speaksAt(at: number): boolean;
}

/** One reading for each instance that has series; a rule without `by` always has exactly one. */
export function readValues(rule: CompiledRule, board: Board, now: number): Reading[] {
  const readings: Reading[] = [];
  for (const one of knownInstances(rule, board)) {
    const value = one.reader.valueAt(now);
    const hasValue = Number.isFinite(value);
    if (!hasValue && rule.rule.by.length > 0 && !one.speaksAt(now)) continue;
    const { instance, labels } = one;
    readings.push({ instance, labels, value: hasValue ? value : null });
  }
  return readings;
}

interface Grouped {
  readonly generation: number;
  readonly instances: readonly Measured[];
}

const grouped = new WeakMap<CompiledRule, WeakMap<Board, Grouped>>();

/** Grouped anew only when a series came: at every tick the same ones are asked. */
function knownInstances(rule: CompiledRule, board: Board): readonly Measured[] {
  const ofRule = grouped.get(rule) ?? new WeakMap<Board, Grouped>();
  grouped.set(rule, ofRule);
  const known = ofRule.get(board);
  if (known?.generation === board.generation) return known.instances;
  const instances = groupInstances(rule, board);
  ofRule.set(board, { generation: board.generation, instances });
  return instances;
}

/** In the order in which the board met them. */
export function groupInstances(compiled: CompiledRule, board: Board): Measured[] {
  const { rule } = compiled;
  const groups = new Map<string, { labels: Labels; sides: [Column[], Column[]] }>();
  const groupOf = (labels: Labels) => {
    const key = instanceKey(labels);
    const group = groups.get(key) ?? { labels, sides: [[], []] };
    groups.set(key, group);
    return group;
  };
  if (rule.by.length === 0) groupOf({});
  for (const [side, selector] of selectorsOf(rule.signal).entries()) {
    for (const column of selectColumns(board, selector)) {
      groupOf(instanceLabels(column.labels, rule.by)).sides[side]!.push(column);
    }
  }
  return [...groups].map(([instance, { labels, sides }]) => {
    const reader = readerOf(compiled, sides);
    return { instance, labels, reader, speaksAt: presenceOf(compiled, sides) };
  });
}

function selectColumns(board: Board, { metric, where }: Selector): Column[] {
  const wanted = Object.entries(where);
  return board
    .columnsOf(metric)
    .filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value));
}

function presenceOf({ spanMs }: CompiledRule, sides: readonly (readonly Column[])[]) {
  const cursors = sides.flat().map((column) => new Cursor(column));
  const lookbackMs = spanMs ?? Number.POSITIVE_INFINITY;
  return (at: number) => cursors.some((cursor) => cursor.freshAt(at, lookbackMs) >= 0);
}
