/** What holds a firing alert back, for those who read: judged as the evaluator does, at the moment of the question. */
import type { PolicySet } from "../policy/policy.js";
import { findInhibitor } from "./inhibit.js";
import type { Labels } from "./instance.js";
import { alertLabels, holdsBack, type Silence } from "./silence.js";

export interface FiringAlert {
  readonly rule: string;
  readonly labels: Labels;
  /** AR-…; null: it does not fire. */
  readonly level: string | null;
}

export interface Muting {
  /** Ids of silences. */
  readonly silencedBy: readonly string[];
  /** Names of rules that fire. */
  readonly inhibitedBy: readonly string[];
}

export interface MutingGround {
  readonly policy: Pick<PolicySet, "system" | "alerts">;
  /** Those that hold now. */
  readonly silences: readonly Silence[];
  /** All that fire. */
  readonly firing: readonly FiringAlert[];
}

export const UNMUTED: Muting = { silencedBy: [], inhibitedBy: [] };

/** Of an alert that does not fire, or whose rule or level is gone: nothing. */
export function mutingOf(ground: MutingGround): (alert: FiringAlert) => Muting {
  const { policy, silences } = ground;
  const rules = new Map(policy.alerts.map((rule) => [rule.name, rule]));
  const parents = new Set(
    policy.alerts.flatMap(({ inhibitedBy }) => inhibitedBy.map(({ rule }) => rule)),
  );
  const firing = ground.firing.filter(({ rule, level }) => level !== null && parents.has(rule));
  return (alert) => {
    const rule = rules.get(alert.rule);
    const level = rule?.levels.find(({ id }) => id === alert.level);
    if (!rule || !level) return UNMUTED;
    const labels = alertLabels(policy.system, rule, level, alert.labels);
    const inhibitor = findInhibitor(alert, firing, policy.alerts);
    return {
      silencedBy: silences
        .filter((silence) => holdsBack(silence, labels, level.severity))
        .map(({ id }) => id),
      inhibitedBy: inhibitor === null ? [] : [inhibitor],
    };
  };
}
