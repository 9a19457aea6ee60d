/** A flag has an owner who is there, and an end that is near. */
import type { Problem } from "../../base/problem.js";
import {
  descend,
  type Entry,
  entriesOf,
  itemsOf,
  type Node,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { dayAfter, isDay } from "./day.js";
import { checkName } from "./name.js";
import { show } from "./shape.js";

/** A switch that is needed for longer is a policy. */
const DAYS_MAX = 180;

/** @param today `2026-11-22`; null: ends are not compared, as a process that starts at night must not fail by the date */
export function checkFlags(tree: PolicyTree, today: string | null): Problem[] {
  const flags = entriesOf(tree.get("flags")).map(([, entry]) => entry.node);
  const owners = ownersOf(tree);
  return flags.flatMap((flag) => [
    ...checkName(descend(flag, "owner"), owners, {
      what: "owner",
      where: "escalation of routes.yaml and people of access.yaml",
    }),
    ...checkEnd(descend(flag, "expires"), today),
  ]);
}

/** Roles and people as one map of names; undefined when either could not be read. */
function ownersOf(tree: PolicyTree): Node | undefined {
  const people = descend(tree.get("access"), "people");
  const escalation = descend(tree.get("routes"), "escalation");
  if (!people || !escalation) return undefined;
  const roles = itemsOf(escalation).flatMap((step): [string, Entry][] => {
    const node = step.kind === "map" ? descend(step, "role") : step;
    const role = textOf(node);
    return node && role !== undefined ? [[role, { key: node.place, node }]] : [];
  });
  return { kind: "map", place: people.place, entries: new Map([...roles, ...entriesOf(people)]) };
}

function checkEnd(node: Node | undefined, today: string | null): Problem[] {
  const day = textOf(node);
  if (!node || day === undefined) return [];
  if (!isDay(day)) return [problemAt(node.place, `found ${show(node)}, which is no day`)];
  if (today === null) return [];
  if (day < today)
    return [
      problemAt(
        node.place,
        `found ${show(node)}, which is past: today is ${today}`,
        "take the flag out, and make what stays a policy",
      ),
    ];
  const latest = dayAfter(today, DAYS_MAX);
  return day <= latest
    ? []
    : [
        problemAt(
          node.place,
          `found ${show(node)}, expected at most ${DAYS_MAX} days from today: ${latest}`,
        ),
      ];
}
