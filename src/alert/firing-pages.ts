/** Which pages are out now, by the labels that silences look at: asked before a policy with other silences comes. */
import type { FiringPage } from "../policy/harm/silences.js";
import type { PolicySet } from "../policy/policy.js";
import { alertLabels } from "./silence.js";
import type { RuleState } from "./state.js";

/** Every instance whose strictest firing level is a sev1 of this policy. */
export function firingPages(
  { system, alerts }: Pick<PolicySet, "system" | "alerts">,
  states: ReadonlyMap<string, RuleState>,
): FiringPage[] {
  return alerts.flatMap((rule) =>
    Object.values(states.get(rule.name) ?? {}).flatMap(({ level: id, labels }): FiringPage[] => {
      const level = rule.levels.find((one) => one.id === id);
      if (level?.severity !== "sev1") return [];
      const subject = `${level.id} ${rule.name}`;
      return [{ subject, labels: alertLabels(system, rule, level, labels) }];
    }),
  );
}
