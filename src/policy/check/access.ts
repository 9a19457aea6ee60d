/** Who may do what: one identity is one person, and every rule can be reached. */
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
import { checkName, checkUnique } from "./name.js";
import { RUNBOOK } from "./runbooks.js";
import { checkSubjects } from "./subjects.js";

export function checkAccess(tree: PolicyTree): Problem[] {
  const catalogue = tree.get("catalogue");
  const people = entriesOf(descend(tree.get("access"), "people")).map(([, entry]) => entry.node);
  const identities = (key: string) => people.flatMap((person) => itemsOf(descend(person, key)));
  return [
    // It is who agrees and who asked: two of one name would be one person with the rights of both.
    ...checkUnique(
      people.map((person) => descend(person, "name")),
      "the name",
    ),
    ...checkUnique(identities("slack"), "the Slack identity"),
    ...checkSubjects(identities("subjects")),
    ...checkUnique(
      people.map((person) => descend(person, "github")),
      "the GitHub login",
    ),
    ...accessRulesOf(tree).flatMap((rule) => [
      ...checkRule(rule, catalogue),
      ...checkTeam(rule, people),
    ]),
  ];
}

export function accessRulesOf(tree: PolicyTree): readonly Node[] {
  return itemsOf(descend(tree.get("access"), "rules"));
}

function checkRule(rule: Node, catalogue: Node | undefined): Problem[] {
  const runbook = descend(rule, "runbook");
  const danger = descend(rule, "danger");
  if (rule.kind === "map" && !runbook === !danger)
    return [
      problemAt(
        rule.place,
        `found ${runbook ? "runbook and danger" : "neither"}, expected either runbook or danger`,
      ),
    ];
  return checkName(runbook, catalogue, RUNBOOK);
}

/** A rule that asks people to agree whom nobody can be would look like a guard and be a wall. */
function checkTeam(rule: Node, people: readonly Node[]): Problem[] {
  const wanted = descend(rule, "approvers", "team");
  const team = textOf(wanted);
  if (!wanted || team === undefined) return [];
  const known = people.flatMap((person) => itemsOf(descend(person, "teams")).map(textOf));
  if (known.includes(team)) return [];
  const names = [...new Set(known)].filter((name) => name !== undefined);
  return [
    problemAt(
      wanted.place,
      `found the team "${team}", of which nobody is`,
      didYouMean(team, names) ?? "name it in the teams of a person",
    ),
  ];
}

/**
 * The first rule that matches decides, so what stands below a broader one only looks like a rule. Classes of danger
 * are capital letters and runbooks are not: one map holds both.
 */
export function checkReached(tree: PolicyTree): Problem[] {
  const catalogue = tree.get("catalogue");
  const first = new Map<string, Node>();
  return accessRulesOf(tree).flatMap((rule) => {
    const own = textOf(descend(rule, "runbook")) ?? textOf(descend(rule, "danger")) ?? "";
    const before = first.get(own) ?? first.get(textOf(descend(catalogue, own, "danger")) ?? "");
    if (own !== "" && !first.has(own)) first.set(own, rule);
    if (before === undefined) return [];
    const { file, line } = before.place;
    return [
      problemAt(
        rule.place,
        `this rule never decides: the one at ${file}:${line} comes first and matches all of it`,
        "put the narrower rule above the broader one, or take this one out",
      ),
    ];
  });
}
