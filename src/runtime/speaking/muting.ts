/** What keeps an alert from being told: a silence of people, or a parent that burns. Both are judged anew at each tick. */
import { type Firing, findInhibitor } from "../../alert/inhibit.js";
import type { Labels } from "../../alert/instance.js";
import type { Mute } from "../../alert/plan-groups.js";
import { levelIndex, type RuleState } from "../../alert/state.js";
import type { AlertLevel, AlertRule } from "../../policy/policy.js";
import { readFiring } from "../../store/alert-groups.js";
import type { Sql } from "../../store/database.js";
import type { Found } from "./found.js";

/** The silences in force at a tick. */
export interface Silencer {
  /** The id of the one that silences it; null: none. A sev1 is silenced only by those that say so. */
  find(rule: AlertRule, level: AlertLevel, alert: SilenceTarget): string | null;
  /** Called once all were asked: writes down which matched. */
  close(): Promise<void>;
}

export interface SilenceTarget {
  readonly instance: string;
  readonly labels: Labels;
}

export type OpenSilencer = (tx: Sql, found: Found) => Promise<Silencer>;

export async function openMuting(tx: Sql, found: Found, silencer: Silencer): Promise<Mute> {
  const { alerts } = found.policy;
  const firing = await readParents(tx, found);
  const isInhibited = (rule: AlertRule, labels: Labels) =>
    rule.inhibitedBy.length > 0 &&
    findInhibitor({ rule: rule.name, labels }, firing, alerts) !== null;
  return (rule, instance, { level, labels }) => {
    const known = rule.levels[levelIndex(rule, level)];
    if (!known) return null;
    // Asked first: whether a silence matches anything is told to people.
    if (silencer.find(rule, known, { instance, labels }) !== null) return "silence";
    return isInhibited(rule, labels) ? "inhibition" : null;
  };
}

/** What fires of the rules that inhibit others: as judged now, or as it was stored when their tick is another. */
async function readParents(tx: Sql, { policy, states }: Found): Promise<Firing[]> {
  const isBurning = ({ name }: AlertRule) => firingOf(name, states.get(name) ?? {}).length > 0;
  const children = policy.alerts.filter((rule) => rule.inhibitedBy.length > 0 && isBurning(rule));
  const parents = [
    ...new Set(children.flatMap(({ inhibitedBy }) => inhibitedBy.map((it) => it.rule))),
  ];
  const elsewhere = parents.filter((name) => !states.has(name));
  const stored = elsewhere.length > 0 ? await readFiring(tx, elsewhere) : [];
  return [...stored, ...parents.flatMap((name) => firingOf(name, states.get(name) ?? {}))];
}

function firingOf(rule: string, state: RuleState): Firing[] {
  return Object.values(state)
    .filter(({ level }) => level !== null)
    .map(({ labels }) => ({ rule, labels }));
}
