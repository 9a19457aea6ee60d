/**
 * One quantity has one row of bands, however many rules speak of it: further on is worse, and no two lines lie upon
 * one another (X-50: p99 alerted at 500 in one place and at 600 in another).
 */
import type { Problem } from "../../base/problem.js";
import { SEVERITIES, type Severity } from "../policy.js";
import { isPossible, thresholdNumber } from "../threshold.js";
import {
  descend,
  entriesOf,
  itemsOf,
  type Node,
  numberOf,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { levelsOfRule, type SignalView, viewSignal } from "./alerts.js";
import { perNode } from "./per-node.js";
import { show } from "./shape.js";

/** Where a level of a rule begins. */
interface Line {
  readonly rule: string;
  readonly level: Node;
  readonly value: number;
}

/** By quantity and side. */
type Row = readonly [row: string, line: Omit<Line, "rule">];

export function checkBands(tree: PolicyTree): Problem[] {
  const rows = new Map<string, Line[]>();
  for (const [rule, { node }] of entriesOf(tree.get("alerts"))) {
    for (const [row, line] of rowsOf(node, tree.get("metrics"))) {
      const lines = rows.get(row) ?? [];
      rows.set(row, lines);
      lines.push({ rule, ...line });
    }
  }
  return [...rows].flatMap(([row, lines]) => checkRow(row.startsWith(">") ? 1 : -1, lines));
}

const rowsOf = perNode((rule, metrics): Row[] => {
  const signal = viewSignal(rule, metrics);
  if (signal?.unit === undefined) return [];
  const quantity = quantityOf(rule, signal);
  return levelsOfRule(rule).flatMap((level): Row[] => {
    const [side] = textOf(descend(level, "op")) ?? "";
    const value = thresholdIn(level, signal);
    return side === undefined || value === undefined
      ? []
      : [[`${side} ${quantity}`, { level, value }]];
  });
});

function thresholdIn(level: Node, { unit }: SignalView): number | undefined {
  const node = descend(level, "value");
  const raw = numberOf(node) ?? textOf(node);
  if (raw === undefined || unit === undefined) return undefined;
  const value = thresholdNumber(raw, unit);
  return value !== null && isPossible(value, unit) ? value : undefined;
}

/** Of these the levels of one rule have been compared already. */
function checkRow(sign: 1 | -1, lines: readonly Line[]): Problem[] {
  const outward = [...lines].sort((a, b) => sign * (a.value - b.value));
  return outward.slice(1).flatMap((line, at) => {
    const inner = outward[at]!;
    return line.rule === inner.rule ? [] : checkPair(inner, line);
  });
}

function checkPair(inner: Line, outer: Line): Problem[] {
  if (inner.value === outer.value) {
    const [first, second] = [inner, outer].sort(byPlace) as [Line, Line];
    const node = descend(second.level, "value")!;
    return [
      problemAt(
        node.place,
        `found ${show(node)}, where ${told(first)} begins too (X-50)`,
        "one of them is enough; other severities are levels of one rule",
      ),
    ];
  }
  const [milder, severer] = [inner, outer].map(({ level }) => descend(level, "severity"));
  if (!milder || !severer || rankOf(inner) === -1 || rankOf(outer) < rankOf(inner)) return [];
  return [
    problemAt(
      severer.place,
      `found ${show(severer)} from ${show(descend(outer.level, "value")!)} on, expected one more severe than ${show(milder)} of ${told(inner)} (X-50)`,
    ),
  ];
}

/** 0 is the most severe; -1: it cannot be read. */
function rankOf({ level }: Line): number {
  return SEVERITIES.indexOf(textOf(descend(level, "severity")) as Severity);
}

function told({ rule, level }: Line): string {
  const { file, line } = level.place;
  return `${textOf(descend(level, "id")) ?? "a level"} of ${rule} at ${file}:${line}`;
}

function byPlace(a: Line, b: Line): number {
  const [one, other] = [a.level.place, b.level.place];
  if (one.file !== other.file) return one.file < other.file ? -1 : 1;
  return one.line - other.line;
}

/** The same number of the same series: a value, however long it is averaged, but a sum by its window. */
const VALUE_FUNCTIONS: readonly (string | undefined)[] = [undefined, "avg", "min", "max"];

function quantityOf(rule: Node, { form, body, selectors, unit }: SignalView): string {
  const fn = textOf(descend(body, "fn"));
  const isValue =
    (form === "last" || form === "agg" || form === "div") && VALUE_FUNCTIONS.includes(fn);
  const window = isValue || form === "age" ? "" : textOf(descend(body, "over"));
  const series = selectors.map((selector) => [
    textOf(descend(selector, "metric")),
    entriesOf(descend(selector, "where"))
      .map(([label, { node }]) => `${label}=${textOf(node)}`)
      .sort(),
  ]);
  const by = itemsOf(descend(rule, "by")).map(textOf).sort();
  const combine = textOf(descend(rule, "combine")) ?? "avg";
  return JSON.stringify([isValue ? "value" : [form, fn], window, series, by, combine, unit]);
}
