/** What is news about an instance after a tick: at most one thing. */
import type { AlertLevel, AlertRule } from "../policy/policy.js";
import { type InstanceState, levelIndex, type Transition } from "./state.js";

/** Only the highest level is news; pending is news only while nothing fires. */
export function transitionOf(
  rule: AlertRule,
  instance: string,
  before: InstanceState,
  after: InstanceState,
): Transition | null {
  if (before.level === after.level && before.levels === after.levels) return null;
  const change = levelChange(rule, before, after) ?? pendingChange(rule, before, after);
  if (!change) return null;
  const value = after.valueAt === after.tickAt ? after.value : null;
  return { rule: rule.name, instance, labels: after.labels, ...change, value, at: after.tickAt };
}

type Change = Pick<Transition, "kind" | "level" | "severity">;

function levelChange(rule: AlertRule, before: InstanceState, after: InstanceState): Change | null {
  if (before.level === after.level) return null;
  const was = standing(before);
  const is = standing(after);
  if (!was) return is && { kind: "fired", ...is };
  if (!is) return { kind: after.endedByEdit ? "ended-by-edit" : "resolved", ...was };
  const isWorse = levelIndex(rule, is.level) > levelIndex(rule, was.level);
  return { kind: isWorse ? "upgraded" : "downgraded", ...is };
}

function standing({ level, severity }: InstanceState): Omit<Change, "kind"> | null {
  return level !== null && severity !== null ? { level, severity } : null;
}

function pendingChange(
  rule: AlertRule,
  before: InstanceState,
  after: InstanceState,
): Change | null {
  if (before.level !== null || after.level !== null) return null;
  const was = pendingLevel(rule, before);
  const is = pendingLevel(rule, after);
  if (!was && is) return { kind: "pending", level: is.id, severity: is.severity };
  if (was && !is) return { kind: "pending-ended", level: was.id, severity: was.severity };
  return null;
}

function pendingLevel(rule: AlertRule, state: InstanceState): AlertLevel | undefined {
  return rule.levels.findLast(({ id }) => state.levels[id] !== undefined);
}
