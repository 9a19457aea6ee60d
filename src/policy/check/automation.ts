/** What starts by itself names what there is, and only what access.yaml lets start by itself. */
import type { Problem } from "../../base/problem.js";
import { ROLES, type Role } from "../policy.js";
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
import { accessRulesOf } from "./access.js";
import { checkName } from "./name.js";
import { levelsOf, RUNBOOK } from "./runbooks.js";
import { show } from "./shape.js";

export function checkAutomation(tree: PolicyTree): Problem[] {
  return entriesOf(tree.get("automation")).flatMap(([, entry]) => [
    ...checkName(descend(entry.node, "runbook"), tree.get("catalogue"), RUNBOOK),
    ...checkAlert(descend(entry.node, "when", "alert"), tree),
    ...checkMayStart(entry.node, tree),
  ]);
}

function checkAlert(alert: Node | undefined, tree: PolicyTree): Problem[] {
  if (!alert) return [];
  return checkName(alert, levelIdsOf(tree), { what: "alert level", where: "alerts/" });
}

/** The ids of all levels as a map of names; undefined when there are no readable alerts. */
function levelIdsOf(tree: PolicyTree): Node | undefined {
  const alerts = tree.get("alerts");
  if (!alerts) return undefined;
  const entries = levelsOf(tree).flatMap((level): [string, Entry][] => {
    const node = descend(level, "id");
    const id = textOf(node);
    return node && id !== undefined ? [[id, { key: node.place, node }]] : [];
  });
  return { kind: "map", place: alerts.place, entries: new Map(entries) };
}

/**
 * An automation that access.yaml keeps out would look like a guard and be a hole. Approvals keep nothing out: the run
 * makes its plan, and waits for people.
 */
function checkMayStart(automation: Node, tree: PolicyTree): Problem[] {
  const runbook = descend(automation, "runbook");
  const name = textOf(runbook);
  const danger = textOf(descend(tree.get("catalogue"), name ?? "", "danger"));
  if (!runbook || danger === undefined || !tree.has("access")) return [];
  const door = descend(automation, "when", "incident") ? "pagerduty" : "policy";
  const rule = accessRulesOf(tree).find(
    (candidate) =>
      textOf(descend(candidate, "runbook")) === name ||
      textOf(descend(candidate, "danger")) === danger,
  );
  const reason = whyNot(rule, door, textOf(descend(tree.get("access"), "serviceRoles", door)));
  return reason === null
    ? []
    : [
        problemAt(
          runbook.place,
          `found ${show(runbook)}, which access.yaml keeps from starting by itself: ${reason}`,
        ),
      ];
}

function whyNot(rule: Node | undefined, door: string, role: string | undefined): string | null {
  if (!rule) return "no rule matches it";
  const doors = itemsOf(descend(rule, "doors")).map(textOf);
  if (!doors.includes(door)) return `its rule does not name the door ${door}`;
  const needed = textOf(descend(rule, "role"));
  if (rankOf(role) < rankOf(needed))
    return `it needs the role ${needed}, the door ${door} has ${role}`;
  return null;
}

function rankOf(role: string | undefined): number {
  return ROLES.indexOf(role as Role);
}
