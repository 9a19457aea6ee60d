/**
 * Whether something larger burns: while a parent rule fires with equal labels, its children are judged, recorded and
 * not told (Alertmanager's inhibition, as far as alerting.md 1.6 keeps it). A silenced parent inhibits all the same.
 */
import type { AlertRule } from "../policy/policy.js";
import type { Labels } from "./instance.js";

export interface Firing {
  readonly rule: string;
  readonly labels: Labels;
}

/** The name of the rule that inhibits it; null: none. A label that is missing is the empty text. */
export function findInhibitor(
  target: Firing,
  firing: readonly Firing[],
  rules: readonly AlertRule[],
): string | null {
  const parents = rules.find(({ name }) => name === target.rule)?.inhibitedBy ?? [];
  const found = parents.find(({ rule, equal }) =>
    firing.some((one) => one.rule === rule && isEqual(one.labels, target.labels, equal)),
  );
  return found?.rule ?? null;
}

function isEqual(a: Labels, b: Labels, names: readonly string[]): boolean {
  return names.every((name) => (a[name] ?? "") === (b[name] ?? ""));
}
