/** How long a level must hold: a time or a number of ticks, and never both. */
import type { Problem } from "../../base/problem.js";
import { descend, type Entry, type Node, numberOf, type Place, problemAt } from "../tree.js";
import { show } from "./shape.js";

export function checkTicks({ key, node: level }: Entry): Problem[] {
  if (level.kind !== "map") return [];
  const [time, ticks] = [descend(level, "for"), level.entries.get("mOf")];
  if (!ticks) return time ? [] : [nothingSaid(key)];
  const both = time
    ? [problemAt(ticks.key, "found for and mOf, expected either of them", "leave one of them out")]
    : [];
  return [...both, ...checkCounts(ticks.node)];
}

function nothingSaid(key: Place): Problem {
  return problemAt(
    key,
    'missing key "for", expected a duration such as 90s, 5m or 1h30m',
    "0s fires at once; mOf: [3, 5] counts ticks instead",
  );
}

const TWO = "write [m, n]: m of the newest n ticks, such as [3, 5]";

function counted(numbers: number): string {
  return `${numbers === 0 ? "no number" : `${numbers} number${numbers === 1 ? "" : "s"}`}, expected two`;
}

function checkCounts(node: Node): Problem[] {
  if (node.kind !== "list") return [];
  if (node.items.length !== 2)
    return [problemAt(node.place, `found ${counted(node.items.length)}`, TWO)];
  const [first, second] = node.items;
  const [m, n] = [numberOf(first), numberOf(second)];
  if (!first || !second || m === undefined || n === undefined || m <= n) return [];
  return [
    problemAt(
      first.place,
      `found ${show(first)} of ${show(second)} ticks, expected at most ${show(second)}`,
      `write [${n}, ${m}]`,
    ),
  ];
}
