/** The catalogue of runbooks: what is built is there, and what answers an alert is named by one. */
import type { Problem } from "../../base/problem.js";
import { didYouMean } from "../../base/similar.js";
import { CATALOGUE_PATH } from "../files.js";
import {
  descend,
  entriesOf,
  type Node,
  namesOf,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { levelsOfRule } from "./alerts.js";
import { checkUnique } from "./name.js";

export const RUNBOOK = { what: "runbook", where: CATALOGUE_PATH };

/** Runbooks of this name are the answer to something. */
const ANSWER = /^respond-/;

export function checkCatalogue(tree: PolicyTree): Problem[] {
  const ids = entriesOf(tree.get("catalogue")).map(([, entry]) => descend(entry.node, "id"));
  return checkUnique(ids, "runbook id");
}

/** @param files names of the runbooks' files without their ending; null: nobody has looked */
export function checkOrphans(tree: PolicyTree, files: readonly string[] | null): Problem[] {
  return [
    ...checkAnswers(tree),
    ...(files === null ? [] : checkFiles(tree.get("catalogue"), files)),
  ];
}

export function levelsOf(tree: PolicyTree): Node[] {
  return entriesOf(tree.get("alerts")).flatMap(([, { node }]) => levelsOfRule(node));
}

function checkAnswers(tree: PolicyTree): Problem[] {
  const catalogue = tree.get("catalogue");
  if (!tree.has("alerts") || !tree.has("automation")) return [];
  const automations = entriesOf(tree.get("automation")).map(([, entry]) => entry.node);
  const named = [...levelsOf(tree), ...automations].flatMap(
    (node) => textOf(descend(node, "runbook")) ?? [],
  );
  const names = new Set(named);
  // A name that there is not may have been meant for one of these.
  if (named.some((name) => descend(catalogue, name) === undefined)) return [];
  return entriesOf(catalogue).flatMap(([name, { key, node }]) => {
    const startedBy = descend(node, "startedBy");
    if (startedBy && names.has(name))
      return [
        problemAt(startedBy.place, `found startedBy, but a rule or automation names ${name}`),
      ];
    if (startedBy || !ANSWER.test(name) || names.has(name)) return [];
    return [
      problemAt(
        key,
        `no level of a rule and no automation names ${name} (X-29)`,
        "name it where it helps, or write startedBy: person",
      ),
    ];
  });
}

function checkFiles(catalogue: Node | undefined, files: readonly string[]): Problem[] {
  const there = new Set(files);
  const known = namesOf(catalogue);
  const wrong = entriesOf(catalogue).flatMap(([name, { node }]) => {
    const status = descend(node, "status");
    const said = textOf(status);
    if (!status || (said === "built") === there.has(name)) return [];
    if (said === "built")
      return [problemAt(status.place, `found built, but there is no runbooks/${name}.ts`)];
    return said === "planned"
      ? [problemAt(status.place, `found planned, but runbooks/${name}.ts is there`)]
      : [];
  });
  const unknown = catalogue ? files.filter((name) => descend(catalogue, name) === undefined) : [];
  return [...wrong, ...unknown.map((name) => withoutEntry(name, known))];
}

function withoutEntry(name: string, known: readonly string[]): Problem {
  return {
    ...{ file: CATALOGUE_PATH, line: 0, column: 0 },
    message: `runbooks/${name}.ts has no entry here`,
    hint: didYouMean(name, known) ?? "every runbook has an id, a danger and a status",
  };
}
