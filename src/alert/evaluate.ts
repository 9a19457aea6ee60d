/**
 * The one evaluator: production, backtests and tests call `stepRule`, or `stepInstance` which it is made of (design
 * 3, decision 10). Pure: readings and the time go in, the next state and what changed come out.
 */
import type { CompiledRule } from "./compile.js";
import { mustBeWritten } from "./row-change.js";
import type { Reading } from "./signal.js";
import type { InstanceState, RuleState, Transition } from "./state.js";
import { freshInstance, isForgettable, stepInstance } from "./step-instance.js";
import { transitionOf } from "./transition.js";

export interface StepInput {
  readonly rule: CompiledRule;
  readonly state: RuleState;
  /** Instances that are missing here but known to the state have no data. */
  readonly readings: readonly Reading[];
  readonly now: Date;
}

export interface Step {
  readonly state: RuleState;
  readonly transitions: readonly Transition[];
  /** Keys of instances whose row must be written. */
  readonly changed: readonly string[];
  /** Keys of instances that are no longer remembered. */
  readonly removed: readonly string[];
}

export function stepRule(input: StepInput): Step {
  const now = input.now.getTime();
  const { rule: compiled, state } = input;
  const { rule } = compiled;
  const next: Record<string, InstanceState> = {};
  const transitions: Transition[] = [];
  const changed: string[] = [];
  const removed: string[] = [];
  for (const { instance, labels, value } of withTheSilent(input)) {
    const known = state[instance];
    const before = known ?? freshInstance(compiled, labels, now);
    const after = stepInstance(compiled, before, labels, value, now);
    const transition = transitionOf(rule, instance, before, after);
    if (transition) transitions.push(transition);
    if (!isForgettable(rule, after, now)) {
      next[instance] = after;
      if (mustBeWritten(known, after)) changed.push(instance);
    } else if (known) removed.push(instance);
  }
  return { state: next, transitions, changed, removed };
}

/** What is known and not among the readings has no data. */
function withTheSilent({ state, readings }: StepInput): readonly Reading[] {
  const known = Object.keys(state);
  const spoken = new Set<string>();
  for (const { instance } of readings) if (state[instance] !== undefined) spoken.add(instance);
  if (spoken.size === known.length) return readings;
  const silent = known
    .filter((instance) => !spoken.has(instance))
    .map((instance): Reading => ({ instance, labels: state[instance]!.labels, value: null }));
  return [...readings, ...silent];
}
