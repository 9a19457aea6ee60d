/** What another system cannot say of our rules. */
import type { AlertLevel, AlertRule, PolicySet } from "../../policy/policy.js";

export interface LeftOut {
  readonly rule: string;
  /** Id of the level, AR-…. */
  readonly level: string;
  readonly reason: string;
}

export interface Exported {
  /** The whole file; the same policies make the same text. */
  readonly text: string;
  /** Levels that are watched by our evaluator alone, and why. */
  readonly leftOut: readonly LeftOut[];
  /** Levels that are there, and what about them is not as we mean it: one entry a difference. */
  readonly loose: readonly LeftOut[];
}

export function eachLevel<T>(
  policy: PolicySet,
  work: (rule: AlertRule, level: AlertLevel) => T,
): T[] {
  return policy.alerts.flatMap((rule) => rule.levels.map((level) => work(rule, level)));
}
