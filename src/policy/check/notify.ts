/** Levels tell receivers that there are, and name runbooks that are known. */
import type { Problem } from "../../base/problem.js";
import { descend, itemsOf, type PolicyTree } from "../tree.js";
import { checkName } from "./name.js";
import { RECEIVER } from "./routes.js";
import { levelsOf, RUNBOOK } from "./runbooks.js";

export function checkNotify(tree: PolicyTree): Problem[] {
  const receivers = descend(tree.get("routes"), "receivers");
  return levelsOf(tree).flatMap((level) => [
    ...itemsOf(descend(level, "notify")).flatMap((node) => checkName(node, receivers, RECEIVER)),
    ...checkName(descend(level, "runbook"), tree.get("catalogue"), RUNBOOK),
  ]);
}
