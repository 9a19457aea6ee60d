/** A rule that left the policies: nobody judges it any more, so its end must be told now or never. */
import type { KnownGroup } from "./plan-groups.js";
import type { PlannedNotice } from "./plan-notices.js";
import type { InstanceState, RuleState, Transition } from "./state.js";

export interface RemovedRule {
  readonly name: string;
  readonly state: RuleState;
  readonly system: string;
  readonly now: Date;
}

export interface RemovalEnd {
  readonly transitions: readonly Transition[];
  readonly notices: readonly PlannedNotice[];
}

/** @param groups Those of the rule, of all receivers. */
export function endRemovedRule(
  removed: RemovedRule,
  groups: readonly KnownGroup[] = [],
): RemovalEnd {
  const transitions = Object.entries(removed.state).flatMap(([instance, state]) =>
    ending(removed, instance, state),
  );
  return { transitions, notices: lastWords(removed, groups) };
}

function ending(removed: RemovedRule, instance: string, state: InstanceState): Transition[] {
  const { level, severity, value, labels } = state;
  if (level === null || severity === null) return [];
  const at = removed.now.getTime();
  const kind = "ended-by-edit";
  return [{ rule: removed.name, instance, labels, kind, level, severity, value, at }];
}

/** One a group, under the key it was told by; what another version told, which knows no groups, under its own. */
function lastWords(removed: RemovedRule, groups: readonly KnownGroup[]): PlannedNotice[] {
  const ends = new Map<string, { receiver: string; groupKey: string; instances: string[] }>();
  for (const [instance, { told }] of Object.entries(removed.state)) {
    for (const receiver of told?.receivers ?? []) {
      const teller = groups.find((one) => one.receiver === receiver && one.state.told[instance]);
      const groupKey = teller?.groupKey ?? `${removed.name}/${instance}`;
      const name = `${receiver}\n${groupKey}`;
      const end = ends.get(name) ?? { receiver, groupKey, instances: [] };
      end.instances.push(instance);
      ends.set(name, end);
    }
  }
  return [...ends.values()].map((end) => lastWord(removed, end));
}

function lastWord(
  { name, system, state }: RemovedRule,
  end: { readonly receiver: string; readonly groupKey: string; readonly instances: string[] },
): PlannedNotice {
  const { receiver, groupKey, instances } = end;
  const { severity, level } = state[instances[0]!]!.told!;
  const reason = "rule-removed";
  return {
    ...{ receiver, groupKey, instances, severity, level, reason, action: "resolve" },
    dedupKey: `${system}/${groupKey}`,
    source: `${system}/${name}`,
    alerts: instances.length,
    message: {
      tone: "info",
      title: `Ended, its rule was removed: ${severity.toUpperCase()} ${name}`,
      text: "Nothing measures it any more. It was firing until then.",
      footer: `${level} · ${groupKey} · ${reason}`,
    },
    details: { rule: name, level, instances, reason },
  };
}
