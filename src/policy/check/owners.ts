/** Who may answer for what somebody has written. */
import { descend, type Entry, entriesOf, itemsOf, type Node, textOf } from "../tree.js";

/** People and their teams as one map of names; undefined when nobody could be read. */
export function ownersOf(access: Node | undefined): Node | undefined {
  const people = descend(access, "people");
  if (!people) return undefined;
  const teams = entriesOf(people).flatMap(([, { node }]) =>
    itemsOf(descend(node, "teams")).flatMap((team): [string, Entry][] => {
      const name = textOf(team);
      return name === undefined ? [] : [[name, { key: team.place, node: team }]];
    }),
  );
  return { kind: "map", place: people.place, entries: new Map([...teams, ...entriesOf(people)]) };
}
