/**
 * What a new policy would fire at this moment: the evaluator that production uses, on what is remembered and measured
 * now, once under each of the two policies. Nothing is written, nobody is told.
 */
import type { AlertLevel, AlertRule, PolicySet } from "../policy/policy.js";
import type { Board } from "./board.js";
import { compileRule } from "./compile.js";
import { stepRule } from "./evaluate.js";
import { readValues } from "./signal.js";
import type { RuleState } from "./state.js";

export interface ShadowInput {
  readonly before: PolicySet;
  readonly after: PolicySet;
  /** What the evaluator remembers, by rule. */
  readonly states: ReadonlyMap<string, RuleState>;
  /** Samples for the windows of all rules of both; for the `age` form the newest of each series, however old. */
  readonly board: Board;
  readonly now: Date;
}

export interface NewlyFiring {
  readonly level: string;
  readonly rule: string;
  readonly instance: string;
  /** Whether somebody is woken by it. */
  readonly pages: boolean;
}

/**
 * Instances that would be told of under `after` and are not under `before`, or that would page and do not now. What
 * breaches at this moment counts as firing, whatever its `for`: that time will pass.
 */
export function shadowEvaluate(input: ShadowInput): NewlyFiring[] {
  const now = firingOf(input.before, input);
  return [...firingOf(input.after, input).entries()].flatMap(([key, firing]) => {
    const known = now.get(key);
    const isNews = known === undefined || (firing.pages && !known.pages);
    return isNews ? [firing] : [];
  });
}

/** By rule and instance. */
function firingOf(policy: PolicySet, input: ShadowInput): Map<string, NewlyFiring> {
  const firing = new Map<string, NewlyFiring>();
  for (const rule of policy.alerts) {
    // Nobody emits what it is about yet.
    if ((rule.waitsFor ?? []).length > 0) continue;
    for (const [instance, level] of firingLevels(rule, policy, input)) {
      const pages = level.notify.some((name) => isPager(policy, name));
      firing.set(`${rule.name}/${instance}`, { level: level.id, rule: rule.name, instance, pages });
    }
  }
  return firing;
}

function isPager({ routes }: PolicySet, receiver: string): boolean {
  return routes.receivers[receiver]?.kind === "pagerduty";
}

function firingLevels(
  rule: AlertRule,
  policy: PolicySet,
  { states, board, now }: ShadowInput,
): [string, AlertLevel][] {
  const levels = rule.levels.map((level) => ({ ...level, forMs: 0, mOf: null }));
  const impatient = compileRule({ ...rule, levels }, policy.metrics);
  const readings = readValues(impatient, board, now.getTime());
  const former = states.get(rule.name) ?? {};
  const { state } = stepRule({ rule: impatient, state: former, readings, now });
  return Object.entries(state).flatMap(([instance, { level }]): [string, AlertLevel][] => {
    const top = rule.levels.find(({ id }) => id === level);
    return top ? [[instance, top]] : [];
  });
}
