/**
 * Who knows of an instance, written back to it after its groups have spoken: the cool-down counts from it, and a
 * version that knows no groups goes on from it.
 */
import type { AlertRule } from "../policy/policy.js";
import type { GroupSaying, GroupState } from "./group.js";
import { type InstanceState, levelIndex, type RuleState, type Told } from "./state.js";

export interface SpokenGroup {
  readonly receiver: string;
  /** After what was said; null: it is over. */
  readonly state: GroupState | null;
  /** What went out; null: nothing. */
  readonly said: GroupSaying | null;
}

/** Instances of whom nothing new is known stay the same objects, and so does a state of such. */
export function writeTold(
  rule: AlertRule,
  state: RuleState,
  groups: readonly SpokenGroup[],
  now: number,
): RuleState {
  const knowing = receiversByInstance(groups);
  const heard = new Set(
    groups.flatMap(({ said }) => said?.firing.map(({ instance }) => instance) ?? []),
  );
  let isSame = true;
  const next = Object.entries(state).map(([instance, before]): [string, InstanceState] => {
    const receivers = knowing.get(instance) ?? [];
    const after = writeOne(rule, before, { receivers, isHeard: heard.has(instance) }, now);
    isSame &&= after === before;
    return [instance, after];
  });
  return isSame ? state : Object.fromEntries(next);
}

function receiversByInstance(groups: readonly SpokenGroup[]): ReadonlyMap<string, string[]> {
  const knowing = new Map<string, string[]>();
  for (const { receiver, state } of groups)
    for (const instance of Object.keys(state?.told ?? {}))
      knowing.set(instance, [...(knowing.get(instance) ?? []), receiver]);
  return knowing;
}

interface Heard {
  readonly receivers: readonly string[];
  /** Somebody was told of it just now. */
  readonly isHeard: boolean;
}

function writeOne(
  rule: AlertRule,
  before: InstanceState,
  { receivers, isHeard }: Heard,
  now: number,
): InstanceState {
  const { told, level } = before;
  if (!told && !isHeard) return before;
  const known = (told?.receivers ?? []).filter((name) => receivers.includes(name));
  const all = [...known, ...new Set(receivers.filter((name) => !known.includes(name)))];
  if (isHeard && level !== null) return { ...before, told: toldNow(rule, before, all, now) };
  if (!told || (all.length === told.receivers.length && (all.length > 0 || level !== null)))
    return before;
  const isOver = all.length === 0 && level === null;
  const cooling = level === null ? { level: told.peak, at: now } : before.cooling;
  return { ...before, told: isOver ? null : { ...told, receivers: all }, cooling };
}

function toldNow(
  rule: AlertRule,
  { told, level, severity }: InstanceState,
  receivers: readonly string[],
  at: number,
): Told {
  const peak = told?.peak ?? level!;
  const isNewPeak = levelIndex(rule, level) > levelIndex(rule, peak);
  return { level: level!, peak: isNewPeak ? level! : peak, severity: severity!, at, receivers };
}
