/** A burn rate has two windows, of which the short one only says that the trouble still goes on. */
import type { Problem } from "../../base/problem.js";
import { descend, durationOf, type Node, problemAt, textOf } from "../tree.js";
import { show } from "./shape.js";

/** The short window is at most this share of the long one: else both say the same. */
const SHORT_SHARE = 1 / 2;

export function checkBurn(body: Node, levels: readonly Node[]): Problem[] {
  return [...checkWindows(body), ...levels.flatMap(checkSide)];
}

function checkWindows(body: Node): Problem[] {
  const [long, short] = [descend(body, "long"), descend(body, "short")];
  const [longMs, shortMs] = [durationOf(long), durationOf(short)];
  if (!long || !short || longMs === undefined || shortMs === undefined) return [];
  if (shortMs <= longMs * SHORT_SHARE) return [];
  return [
    problemAt(
      short.place,
      `found ${show(short)}, expected at most half of long (${show(long)})`,
      "a twelfth is usual: 1h and 5m",
    ),
  ];
}

/** A budget that is spent too slowly wakes nobody. */
function checkSide(level: Node): Problem[] {
  const op = descend(level, "op");
  return !op || textOf(op)?.startsWith(">") !== false
    ? []
    : [problemAt(op.place, `found ${show(op)} in the form burn, expected > or >=`)];
}
