/** What holds a rule's words back: a rule that there is, labels that both have, and no circle in which nobody speaks. */
import type { Problem } from "../../base/problem.js";
import { didYouMean } from "../../base/similar.js";
import {
  descend,
  entriesOf,
  itemsOf,
  type Node,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { checkName } from "./name.js";
import { show } from "./shape.js";

const RULE = { what: "rule", where: "alerts/*.yaml" };

export function checkInhibitors(tree: PolicyTree): Problem[] {
  const alerts = tree.get("alerts");
  const rules = entriesOf(alerts).map(([name, { node }]) => [name, node] as const);
  return [
    ...rules.flatMap(([, rule]) => [
      ...checkGroup(rule),
      ...parentsOf(rule).flatMap((parent) => checkParent(rule, parent, alerts)),
    ]),
    ...findCircles(rules, alerts),
  ];
}

function parentsOf(rule: Node): readonly Node[] {
  return itemsOf(descend(rule, "inhibitedBy"));
}

function labelsOf(rule: Node | undefined): string[] {
  return itemsOf(descend(rule, "by")).flatMap((label) => textOf(label) ?? []);
}

/** Only what makes instances can hold them together. */
function checkGroup(rule: Node): Problem[] {
  const known = labelsOf(rule);
  return itemsOf(descend(rule, "group", "by")).flatMap((label) =>
    foreign(label, known, "this rule"),
  );
}

function checkParent(rule: Node, parent: Node, alerts: Node | undefined): Problem[] {
  const name = descend(parent, "rule");
  const other = descend(alerts, textOf(name) ?? "");
  const equal = itemsOf(descend(parent, "equal"));
  return [
    ...checkName(name, alerts, RULE),
    ...(other
      ? equal.flatMap((label) => {
          const own = foreign(label, labelsOf(rule), "this rule");
          return own.length > 0 ? own : foreign(label, labelsOf(other), textOf(name)!);
        })
      : []),
  ];
}

function foreign(label: Node, known: readonly string[], owner: string): Problem[] {
  const text = textOf(label);
  if (text === undefined || known.includes(text)) return [];
  const has =
    known.length === 0 ? `${owner} has one instance` : `${owner} is by ${known.join(", ")}`;
  return [
    problemAt(
      label.place,
      `found ${show(label)}, expected a label in the by of ${owner}`,
      didYouMean(text, known) ?? has,
    ),
  ];
}

/** Two that hold each other back are both silent when both fire. */
function findCircles(
  rules: readonly (readonly [string, Node])[],
  alerts: Node | undefined,
): Problem[] {
  return rules.flatMap(([name, rule]) =>
    parentsOf(rule).flatMap((parent) => {
      const node = descend(parent, "rule");
      const way = node && wayBack(textOf(node), name, alerts);
      // Said once, where the first name of the circle stands.
      if (!node || !way || way.some((step) => step < name)) return [];
      const circle = [name, ...way].join(" → ");
      return [problemAt(node.place, `found a circle: ${circle}, in which nobody speaks`)];
    }),
  );
}

/** The names from `from` up to `to`; null when none leads there. */
function wayBack(from: string | undefined, to: string, alerts: Node | undefined): string[] | null {
  const before = new Map<string, string | null>();
  const open = from === undefined ? [] : [from];
  for (const first of open) before.set(first, null);
  for (let name = open.shift(); name !== undefined; name = open.shift()) {
    if (name === to) return trail(before, name);
    for (const parent of parentsOf(descend(alerts, name) ?? NOTHING)) {
      const next = textOf(descend(parent, "rule"));
      if (next === undefined || before.has(next)) continue;
      before.set(next, name);
      open.push(next);
    }
  }
  return null;
}

const NOTHING: Node = { kind: "list", place: { file: "", line: 0, column: 0 }, items: [] };

function trail(before: ReadonlyMap<string, string | null>, last: string): string[] {
  const names: string[] = [];
  for (let name: string | null = last; name !== null; name = before.get(name) ?? null)
    names.unshift(name);
  return names;
}
