/** Names that must exist elsewhere. */
import type { Problem } from "../../base/problem.js";
import { didYouMean } from "../../base/similar.js";
import { type Node, namesOf, problemAt, textOf } from "../tree.js";

/** A list longer than this helps nobody. */
const LISTED_MAX = 8;
/** Comparing letters is slow, and a file with more names than this has other troubles. */
const COMPARED_MAX = 1000;

/**
 * A problem unless the text of `node` is one of the names of `owner`. Nothing to say where either
 * could not be read: that has been said already.
 * @param what in words, e.g. `receiver`
 * @param where the names are kept, e.g. `routes.yaml`
 */
export function checkName(
  node: Node | undefined,
  owner: Node | undefined,
  { what, where }: { what: string; where: string },
): Problem[] {
  const name = textOf(node);
  if (!node || name === undefined || owner?.kind !== "map" || owner.entries.has(name)) return [];
  const known = namesOf(owner);
  const listed = known.length <= LISTED_MAX ? `${where} has ${known.join(", ")}` : `see ${where}`;
  return [
    problemAt(
      node.place,
      `unknown ${what} "${name}"`,
      didYouMean(name, known.slice(0, COMPARED_MAX)) ?? listed,
    ),
  ];
}

/** A problem for each text that stands a second time; texts of one key are the same. */
export function checkUnique(
  nodes: readonly (Node | undefined)[],
  what: string,
  keyOf: (text: string) => string = (text) => text,
): Problem[] {
  const first = new Map<string, Node>();
  const problems: Problem[] = [];
  for (const node of nodes) {
    const text = textOf(node);
    if (!node || text === undefined) continue;
    const before = first.get(keyOf(text));
    if (before) {
      const { file, line } = before.place;
      problems.push(
        problemAt(node.place, `found ${what} "${text}" twice, first at ${file}:${line}`),
      );
    } else first.set(keyOf(text), node);
  }
  return problems;
}
