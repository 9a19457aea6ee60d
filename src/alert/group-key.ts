/** The name of a group of alerts: those of one rule that are told together (design 2.5). */
import { instanceKey, instanceLabels, type Labels } from "./instance.js";

/**
 * `<rule>/<labels>`: unique among all groups of a receiver, and with the system before it the dedup key abroad. A rule
 * without `group` tells each instance by itself, under the instance's own key.
 */
export function groupKeyOf(
  rule: { readonly name: string; readonly groupBy: readonly string[] | null },
  instance: string,
  labels: Labels,
): string {
  const key = rule.groupBy === null ? instance : instanceKey(instanceLabels(labels, rule.groupBy));
  return `${rule.name}/${key}`;
}
