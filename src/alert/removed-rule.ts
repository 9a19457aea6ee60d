/** A rule that left the policies: nobody judges it any more, so its end must be told now or never. */
import { dedupKeyOf } from "./instance.js";
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

export function endRemovedRule(removed: RemovedRule): RemovalEnd {
  const instances = Object.entries(removed.state);
  return {
    transitions: instances.flatMap(([instance, state]) => ending(removed, instance, state)),
    notices: instances.flatMap(([instance, state]) => lastWords(removed, instance, state)),
  };
}

function ending(removed: RemovedRule, instance: string, state: InstanceState): Transition[] {
  const { level, severity, value } = state;
  if (level === null || severity === null) return [];
  const at = removed.now.getTime();
  return [{ rule: removed.name, instance, kind: "ended-by-edit", level, severity, value, at }];
}

function lastWords(removed: RemovedRule, instance: string, state: InstanceState): PlannedNotice[] {
  const { told } = state;
  if (!told) return [];
  const { name, system } = removed;
  const reason = "rule-removed";
  return told.receivers.map((receiver) => ({
    receiver,
    dedupKey: dedupKeyOf(system, name, instance),
    action: "resolve",
    severity: told.severity,
    source: `${system}/${name}`,
    message: {
      tone: "info",
      title: `Ended, its rule was removed: ${told.severity.toUpperCase()} ${name}`,
      text: "Nothing measures it any more. It was firing until then.",
      footer: `${told.level} · ${name}/${instance} · ${reason}`,
    },
    details: { rule: name, level: told.level, instance, reason },
    reason,
  }));
}
