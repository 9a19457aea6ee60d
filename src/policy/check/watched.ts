/** A metric that no rule names is either forgotten, or says why nobody needs to be told of it. */
import type { Problem } from "../../base/problem.js";
import { descend, entriesOf, type Node, type PolicyTree, problemAt, textOf } from "../tree.js";
import { viewSignal } from "./alerts.js";

export function checkWatched(tree: PolicyTree): Problem[] {
  const metrics = tree.get("metrics");
  const watchers = watchersOf(tree.get("alerts"), metrics);
  if (watchers === null) return [];
  return entriesOf(metrics).flatMap(([name, { key, node }]) => {
    const reason = descend(node, "unwatched");
    const rule = watchers.get(name);
    if (!reason === (rule !== undefined)) return [];
    return reason
      ? [problemAt(reason.place, `found unwatched, but the rule ${rule} watches ${name}`)]
      : [
          problemAt(
            key,
            `no rule watches ${name} (X-29)`,
            'name it in a rule, or say why not: unwatched: "…"',
          ),
        ];
  });
}

/** Metric → a rule that names it. Null when a rule cannot be read: it may name any of them. */
function watchersOf(
  alerts: Node | undefined,
  metrics: Node | undefined,
): ReadonlyMap<string, string> | null {
  const watchers = new Map<string, string>();
  if (!alerts) return null;
  for (const [rule, { node }] of entriesOf(alerts)) {
    const selectors = viewSignal(node, metrics)?.selectors ?? [undefined];
    for (const selector of selectors) {
      const metric = textOf(descend(selector, "metric"));
      if (metric === undefined || !descend(metrics, metric)) return null;
      watchers.set(metric, rule);
    }
  }
  return watchers;
}
