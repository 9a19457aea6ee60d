/** One tick over memory alone: which rules are due, what they find, and what of it must be stored. Pure. */
import type { Board } from "../alert/board.js";
import type { CompiledRule } from "../alert/compile.js";
import { stepRule } from "../alert/evaluate.js";
import { endRemovedRule, type RemovedRule } from "../alert/removed-rule.js";
import { readValues } from "../alert/signal.js";
import type { RuleState, Transition } from "../alert/state.js";
import type { AlertRule, PolicySet } from "../policy/policy.js";
import type { AlertClock } from "../store/alert-clock.js";
import type { StateChanges } from "../store/alerts.js";

export type States = ReadonlyMap<string, RuleState>;

/** A rule, and the tick to judge it at, in milliseconds. */
export interface DueRule {
  readonly compiled: CompiledRule;
  readonly tick: number;
}

/** A tick is judged so long after it, when its samples are stored. */
const SETTLE_MS = 1_000;

/** Milliseconds: a short interval is not shifted into the next. */
export function settleMs(everyMs: number): number {
  return Math.min(SETTLE_MS, everyMs / 4);
}

/** The newest tick of a rule that may be judged at `now`. Aligned to the epoch, so a restart does not shift it. Milliseconds. */
export function settledTick({ everyMs }: Pick<AlertRule, "everyMs">, now: Date): number {
  return Math.floor((now.getTime() - settleMs(everyMs)) / everyMs) * everyMs;
}

/** Rules whose newest settled tick has not been judged. */
export function dueRules(rules: readonly CompiledRule[], states: States, now: Date): DueRule[] {
  return rules
    .map((compiled) => ({ compiled, tick: settledTick(compiled.rule, now) }))
    .filter(({ compiled, tick }) => lastTick(states.get(compiled.rule.name)) < tick);
}

/** Milliseconds; -1 when the rule has no state yet. */
function lastTick(state: RuleState | undefined): number {
  let last = -1;
  for (const { tickAt } of Object.values(state ?? {})) if (tickAt > last) last = tickAt;
  return last;
}

export interface Found {
  readonly policy: PolicySet;
  readonly due: readonly DueRule[];
  /** Of the rules that were due, after the step. */
  readonly states: States;
  /** By rule: keys of instances whose row must be written. */
  readonly changed: ReadonlyMap<string, readonly string[]>;
  readonly forgotten: StateChanges["remove"];
  /** Rules that left the policies. */
  readonly removed: readonly RemovedRule[];
  readonly transitions: readonly Transition[];
  /** The newest tick that was judged. */
  readonly now: Date;
}

/** Null: nothing is due, and no rule has left. */
export function findOut(input: {
  readonly policy: PolicySet;
  readonly due: readonly DueRule[];
  readonly before: States;
  readonly board: Board;
  readonly now: Date;
}): Found | null {
  const { policy, due, before, board } = input;
  const ticks = due.map(({ tick }) => tick);
  const now = ticks.length === 0 ? input.now : new Date(Math.max(...ticks));
  const removed = removedRules(before, policy, now);
  if (due.length + removed.length === 0) return null;
  const states = new Map<string, RuleState>();
  const changed = new Map<string, readonly string[]>();
  const forgotten = removed.flatMap(({ name, state }) => keysOf(name, Object.keys(state)));
  const transitions = removed.flatMap((one) => endRemovedRule(one).transitions);
  for (const { compiled, tick } of due) {
    const { name } = compiled.rule;
    const readings = readValues(compiled, board, tick);
    const state = before.get(name) ?? {};
    const step = stepRule({ rule: compiled, state, readings, now: new Date(tick) });
    states.set(name, step.state);
    changed.set(name, step.changed);
    forgotten.push(...keysOf(name, step.removed));
    transitions.push(...step.transitions);
  }
  return { policy, due, states, changed, forgotten, removed, transitions, now };
}

function removedRules(before: States, { alerts, system }: PolicySet, now: Date): RemovedRule[] {
  const inForce = new Set(alerts.map(({ name }) => name));
  return [...before]
    .filter(([name]) => !inForce.has(name))
    .map(([name, state]) => ({ name, state, system, now }));
}

function keysOf(rule: string, instances: readonly string[]) {
  return instances.map((instance) => ({ rule, instance }));
}

/** @param spoken the states with the memory of what was told; an instance that nobody spoke of is the same object */
export function changesOf({ states, changed, forgotten }: Found, spoken: States): StateChanges {
  const upsert = [...spoken].flatMap(([rule, state]) => {
    const stepped = states.get(rule);
    const keys = new Set(changed.get(rule));
    return Object.entries(state)
      .filter(([instance, one]) => keys.has(instance) || stepped?.[instance] !== one)
      .map(([instance, one]) => ({ rule, instance, state: one }));
  });
  return { upsert, remove: forgotten };
}

/** Rules of one interval are due together: a single one of them speaks for all. */
export function clockOf({ due }: Found): AlertClock {
  const ticks = new Map(due.map(({ compiled, tick }) => [compiled.rule.everyMs, new Date(tick)]));
  return [...ticks].map(([everyMs, tickAt]) => ({ everyMs, tickAt }));
}
