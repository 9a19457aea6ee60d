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
    ...findCircles(rules),
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

type Rules = readonly (readonly [name: string, rule: Node])[];

/** Two that hold each other back are both silent when both fire. Said once, at the first name of the circle. */
function findCircles(rules: Rules): Problem[] {
  const parents = circling(rules);
  return [...parents].flatMap(([name, nodes]) =>
    nodes.flatMap((node) => {
      const way = wayBack(textOf(node)!, name, parents);
      if (!way || way.some((step) => step < name)) return [];
      const circle = [name, ...way].join(" → ");
      return [problemAt(node.place, `found a circle: ${circle}, in which nobody speaks`)];
    }),
  );
}

/** By rule, those that hold it back, without all that is in no circle: what nobody holds back leaves, again and again. */
function circling(rules: Rules): Map<string, Node[]> {
  const left = new Map(rules.map(([name, rule]) => [name, parentNames(rule)]));
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const [name, parents] of left) {
      const held = parents.filter((node) => left.has(textOf(node) ?? ""));
      if (held.length === 0) left.delete(name);
      else left.set(name, held);
    }
  }
  return left;
}

function parentNames(rule: Node): Node[] {
  return parentsOf(rule).flatMap((parent) => descend(parent, "rule") ?? []);
}

/** The names from `from` up to `to`, the shortest way; null when none leads there. */
function wayBack(
  from: string,
  to: string,
  parents: ReadonlyMap<string, readonly Node[]>,
): string[] | null {
  const before = new Map<string, string | null>([[from, null]]);
  for (const name of before.keys()) {
    if (name === to) return trail(before, name);
    for (const node of parents.get(name) ?? []) {
      const next = textOf(node)!;
      if (!before.has(next)) before.set(next, name);
    }
  }
  return null;
}

function trail(before: ReadonlyMap<string, string | null>, last: string): string[] {
  const names: string[] = [];
  for (let name: string | null = last; name !== null; name = before.get(name) ?? null)
    names.unshift(name);
  return names;
}
