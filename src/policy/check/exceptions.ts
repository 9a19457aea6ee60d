/** An exception has somebody who answers for it, and an end that is near. */
import type { Problem } from "../../base/problem.js";
import { descend, entriesOf, type Node, type PolicyTree, problemAt, textOf } from "../tree.js";
import { dayAfter, isDay } from "./day.js";
import { checkName } from "./name.js";
import { ownersOf } from "./owners.js";
import { show } from "./shape.js";

/** What is needed for longer is another budget. */
const DAYS_MAX = 14;

function exceptionsOf(tree: PolicyTree): Node[] {
  return entriesOf(tree.get("exceptions")).map(([, { node }]) => node);
}

export function checkExceptions(tree: PolicyTree): Problem[] {
  const owners = ownersOf(tree.get("access"));
  return exceptionsOf(tree).flatMap((exception) => {
    const expires = descend(exception, "expires");
    const day = textOf(expires);
    return [
      ...checkName(descend(exception, "owner"), owners, {
        what: "owner",
        where: "people and teams of access.yaml",
      }),
      ...(expires && day !== undefined && !isDay(day)
        ? [problemAt(expires.place, `found ${show(expires)}, which is no day`)]
        : []),
    ];
  });
}

/** @param today `2026-11-22`; null: ends are not compared, as a process that starts at night must not fail by the date */
export function checkExpiring(tree: PolicyTree, today: string | null): Problem[] {
  if (today === null) return [];
  return exceptionsOf(tree).flatMap((exception) => {
    const node = descend(exception, "expires");
    const day = textOf(node);
    if (!node || day === undefined || !isDay(day)) return [];
    if (day < today) return [past(node, today)];
    const latest = dayAfter(today, DAYS_MAX);
    if (day <= latest) return [];
    const words = `found ${show(node)}, expected at most ${DAYS_MAX} days from today: ${latest}`;
    return [problemAt(node.place, words, "what is needed for longer is another budget")];
  });
}

function past(node: Node, today: string): Problem {
  return problemAt(
    node.place,
    `found ${show(node)}, which is past: today is ${today}`,
    "take the exception out",
  );
}
