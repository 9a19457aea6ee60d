/** What the rules found at a tick: what there may be to tell. */
import type { RemovedRule } from "../../alert/removed-rule.js";
import type { RuleState, Transition } from "../../alert/state.js";
import type { PolicySet } from "../../policy/policy.js";

export interface Found {
  readonly policy: PolicySet;
  /** Of the rules that were judged, by name, after the step. */
  readonly states: ReadonlyMap<string, RuleState>;
  /** Not stored yet: a storm is counted with them. */
  readonly transitions: readonly Transition[];
  /** Rules that left the policies. */
  readonly removed: readonly RemovedRule[];
  /** The tick. */
  readonly now: Date;
}
