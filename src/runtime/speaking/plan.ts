/** From what was found to the groups of alerts that may speak. */
import { type KnownGroup, type PlannedGroup, planGroups } from "../../alert/plan-groups.js";
import type { PlannedNotice } from "../../alert/plan-notices.js";
import { endRemovedRule } from "../../alert/removed-rule.js";
import type { RuleState } from "../../alert/state.js";
import type { AlertRule } from "../../policy/policy.js";
import { forgetGroupsOf, readGroups, type StoredGroup } from "../../store/alert-groups.js";
import type { Sql } from "../../store/database.js";
import type { Found } from "./found.js";
import { type OpenSilencer, openMuting } from "./muting.js";

export interface RulePlan {
  readonly rule: AlertRule;
  readonly state: RuleState;
  readonly groups: readonly PlannedGroup[];
}

/** The groups of the rules that were judged, and what each has to say. */
export async function planRules(tx: Sql, found: Found, open: OpenSilencer): Promise<RulePlan[]> {
  const { policy, states, now } = found;
  const rules = policy.alerts.filter(({ name }) => states.has(name));
  // Nothing fires, nothing was told, nothing has changed: then there is no group, either.
  const isCalm =
    found.transitions.length === 0 && rules.every(({ name }) => isQuiet(states.get(name)!));
  if (isCalm) return [];
  const groups = byRule(
    await readGroups(
      tx,
      rules.map(({ name }) => name),
    ),
  );
  const silencer = await open(tx, found);
  const mute = await openMuting(tx, found, silencer);
  const plans = rules.map((rule): RulePlan => {
    const state = states.get(rule.name)!;
    const tick = Math.floor(now.getTime() / rule.everyMs) * rule.everyMs;
    const known = groups.get(rule.name) ?? [];
    const { routes } = policy;
    return {
      rule,
      state,
      groups: planGroups({ rule, state, groups: known, routes, mute, now: tick }),
    };
  });
  await silencer.close();
  return plans;
}

function isQuiet(state: RuleState): boolean {
  return Object.values(state).every(({ level, told }) => level === null && told === null);
}

function byRule(groups: readonly StoredGroup[]): ReadonlyMap<string, StoredGroup[]> {
  const rules = new Map<string, StoredGroup[]>();
  for (const group of groups) rules.set(group.rule, [...(rules.get(group.rule) ?? []), group]);
  return rules;
}

/** The ends of rules that are gone; their groups go with them. */
export async function planEnds(tx: Sql, { removed }: Found): Promise<PlannedNotice[]> {
  if (removed.length === 0) return [];
  const names = removed.map(({ name }) => name);
  const groups = byRule(await readGroups(tx, names));
  await forgetGroupsOf(tx, names);
  return removed.flatMap((one) => {
    const known: readonly KnownGroup[] = groups.get(one.name) ?? [];
    return endRemovedRule(one, known).notices;
  });
}
