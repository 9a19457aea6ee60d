/** The chain of a tick without its database: step, group, speak, remember. What people heard, line by line. */
import { compileRule } from "../../src/alert/compile.js";
import { stepRule } from "../../src/alert/evaluate.js";
import type { SayReason } from "../../src/alert/notice.js";
import { type KnownGroup, type Mute, planGroups } from "../../src/alert/plan-groups.js";
import { type PlannedNotice, planNotice, wordsOf } from "../../src/alert/plan-notices.js";
import type { RuleState } from "../../src/alert/state.js";
import { writeTold } from "../../src/alert/told.js";
import type { AlertRule, PolicySet } from "../../src/policy/policy.js";
import { at, SECOND } from "./replay.js";

export interface Heard {
  /** Of each tick, of each group. */
  readonly reasons: readonly SayReason[];
  readonly notices: readonly PlannedNotice[];
  readonly state: RuleState;
  readonly groups: readonly KnownGroup[];
  /** `seconds action receiver reason`, as people heard it. */
  readonly heard: readonly string[];
}

export interface Before {
  readonly state?: RuleState;
  readonly groups?: readonly KnownGroup[];
  readonly fromTick?: number;
  readonly mute?: (tick: number) => Mute;
}

/** By instance, one value a tick of the rule; null: no data. The key of an instance is the value of its one label. */
export function listenTo(
  rule: AlertRule,
  policy: PolicySet,
  values: Readonly<Record<string, readonly (number | null)[]>>,
  before: Before = {},
): Heard {
  let state = before.state ?? {};
  let groups = before.groups ?? [];
  const reasons: SayReason[] = [];
  const notices: PlannedNotice[] = [];
  const heard: string[] = [];
  const compiled = compileRule(rule, policy.metrics);
  const ticks = Math.max(...Object.values(values).map(({ length }) => length));
  for (let i = 0; i < ticks; i++) {
    const tick = (before.fromTick ?? 0) + i;
    const seconds = (tick * rule.everyMs) / SECOND;
    const now = at(seconds * SECOND);
    const readings = Object.entries(values).map(([instance, given]) => ({
      ...{ instance, value: given[i] ?? null },
      labels: Object.fromEntries(rule.by.map((name) => [name, instance])),
    }));
    const step = stepRule({ rule: compiled, state, readings, now });
    const planned = planGroups({
      ...{ rule, state: step.state, groups, routes: policy.routes, now: now.getTime() },
      mute: before.mute?.(tick) ?? (() => null),
    });
    const told = planned.flatMap(({ receiver, groupKey, step: { say } }) => {
      if (!say) return [];
      const input = { rule, receiver, groupKey, say, state: step.state, policy };
      return [{ ...planNotice(input), ...wordsOf(input) }];
    });
    const spoken = planned.map(({ receiver, step: { state: after, say } }) => ({
      ...{ receiver, state: after, said: say },
    }));
    // As a restart between any two ticks would leave it.
    state = stored(writeTold(rule, step.state, spoken, now.getTime()));
    groups = stored(
      planned.flatMap(({ receiver, groupKey, step: { state: after } }) =>
        after ? [{ receiver, groupKey, state: after }] : [],
      ),
    );
    reasons.push(...planned.map((group) => group.step.reason));
    notices.push(...told);
    heard.push(...told.map((n) => `${seconds} ${n.action} ${n.receiver} ${n.reason}`));
  }
  return { reasons, notices, state, groups, heard };
}

function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
