/** Scaling begins before people are told, by metrics that somebody publishes. */
import type { Problem } from "../../base/problem.js";
import {
  descend,
  durationOf,
  entriesOf,
  itemsOf,
  type Node,
  numberOf,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { levelsOfRule } from "./alerts.js";
import { servicesOf } from "./limits.js";
import { show } from "./shape.js";

export function checkScaling(tree: PolicyTree): Problem[] {
  return checkTargets(tree);
}

function scalingPoliciesOf(tree: PolicyTree): Node[] {
  return servicesOf(tree).flatMap((service) =>
    entriesOf(descend(service, "policies")).map(([, entry]) => entry.node),
  );
}

function checkTargets(tree: PolicyTree): Problem[] {
  return scalingPoliciesOf(tree).flatMap((policy) => {
    const target = descend(policy, "target");
    const percent = descend(policy, "metric", "predefined") !== undefined;
    const value = numberOf(target);
    if (target && percent && value !== undefined && value > 100)
      return [
        problemAt(target.place, `found ${show(target)}, expected a percentage of at most 100`),
      ];
    return [...checkCooldowns(policy), ...checkScalingMetric(policy, tree)];
  });
}

/** AWS counts cool-downs in whole seconds. */
function checkCooldowns(policy: Node): Problem[] {
  return ["scaleInCooldown", "scaleOutCooldown"].flatMap((key) => {
    const node = descend(policy, key);
    const ms = durationOf(node);
    return node && ms !== undefined && ms % 1000 !== 0
      ? [problemAt(node.place, `found ${show(node)}, expected whole seconds`)]
      : [];
  });
}

/** The metric has a producer, and scaling begins before people are told. */
function checkScalingMetric(policy: Node, tree: PolicyTree): Problem[] {
  const custom = descend(policy, "metric", "custom");
  const name = descend(custom, "name");
  if (!custom || !name || !tree.has("metrics")) return [];
  const published = entriesOf(tree.get("metrics")).find(
    ([, entry]) =>
      textOf(descend(entry.node, "cloudwatch", "name")) === textOf(name) &&
      textOf(descend(entry.node, "cloudwatch", "namespace")) ===
        textOf(descend(custom, "namespace")),
  );
  if (!published)
    return [
      problemAt(
        name.place,
        `found the metric ${show(name)}, which no metric of metrics.yaml is published as`,
        "name it under cloudwatch: of the metric",
      ),
    ];
  return checkBelowAlerts(descend(policy, "target"), published[0], tree);
}

/**
 * With the strictest level only: it is that which wakes people. A milder one may speak while scaling is still at
 * work: AR-07 warns from 100 jobs, and workers are added to hold 500.
 */
function checkBelowAlerts(target: Node | undefined, metric: string, tree: PolicyTree): Problem[] {
  const value = numberOf(target);
  if (!target || value === undefined) return [];
  return strictestOf(metric, tree).flatMap(({ rule, level }) => {
    const alert = numberOf(descend(level, "value"));
    const above = textOf(descend(level, "op"))?.startsWith(">");
    const id = textOf(descend(level, "id")) ?? "a level";
    return above && alert !== undefined && value >= alert
      ? [
          problemAt(
            target.place,
            `found ${value}, expected less than ${alert}, where ${id} of ${rule} fires (X-10)`,
          ),
        ]
      : [];
  });
}

/** The last level of every rule on the whole of this metric: of a part of it there is always less. */
function strictestOf(metric: string, tree: PolicyTree): { rule: string; level: Node }[] {
  return entriesOf(tree.get("alerts")).flatMap(([rule, { node }]) => {
    const signal = descend(node, "signal");
    const body = descend(signal, "last") ?? descend(signal, "agg");
    const isPart = descend(body, "where") !== undefined || itemsOf(descend(node, "by")).length > 0;
    const level = levelsOfRule(node).at(-1);
    if (!level || isPart || textOf(descend(body, "metric")) !== metric) return [];
    return [{ rule, level }];
  });
}

/** Tasks of the service `workers`, as the runtime counts them. */
const TASKS_METRIC = "algobrain.workers.tasks";

/** The least number of tasks stands in scaling.yaml; the rule that watches it says the same (AR-29). */
export function checkTasksAlert(tree: PolicyTree): Problem[] {
  const min = descend(tree.get("scaling"), "workers", "min");
  const least = numberOf(min);
  if (!min || least === undefined) return [];
  return strictestOf(TASKS_METRIC, tree).flatMap(({ level }) => {
    const node = descend(level, "value");
    const value = numberOf(node);
    if (!node || value === undefined || textOf(descend(level, "op")) !== "<") return [];
    const { file, line } = min.place;
    return value === least
      ? []
      : [
          problemAt(
            node.place,
            `found ${value}, expected ${least}, workers.min at ${file}:${line}`,
          ),
        ];
  });
}
