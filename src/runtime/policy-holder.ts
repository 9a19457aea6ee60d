/**
 * The policy that this process works with: swapped whole between two uses, never changed. Whoever asks `policy()`
 * at each use works with the new one from the next use on.
 */
import type { PolicySet } from "../policy/policy.js";
import type { PolicyOverride } from "../store/policy-overrides.js";
import type { Config } from "./config.js";
import { layOverrides } from "./lay-overrides.js";
import type { PolicyInForce } from "./policy-in-force.js";
import { applyOverrides, type Drift, type EffectivePolicy } from "./policy-overrides.js";

export class PolicyHolder {
  readonly #config: Pick<Config, "overrides">;
  #inForce: PolicyInForce;
  #overrides: readonly PolicyOverride[] = [];
  #effective: EffectivePolicy;
  #trial: PolicySet | null = null;

  constructor(first: PolicyInForce, config: Pick<Config, "overrides">) {
    this.#config = config;
    this.#inForce = first;
    this.#effective = this.#effectOf(first, []);
  }

  /** Bound, since it is handed around as a function. */
  readonly policy = (): PolicySet => this.#trial ?? this.#effective.policy;

  inForce(): PolicyInForce {
    return this.#inForce;
  }

  drift(): readonly Drift[] {
    return this.#effective.drift;
  }

  /** Whole or not at all: when this throws, the old one stays. */
  swap(next: PolicyInForce, overrides: readonly PolicyOverride[] = []): void {
    const effective = this.#effectOf(next, overrides);
    this.#inForce = next;
    this.#overrides = overrides;
    this.#effective = effective;
  }

  /** Until `work` has ended this process alone works with the candidate; what is in force stays in force. */
  async tryOut<T>(
    candidate: Pick<PolicyInForce, "set" | "sections">,
    work: () => Promise<T>,
  ): Promise<T> {
    this.#trial = this.#effectOf(candidate, this.#overrides).policy;
    try {
      return await work();
    } finally {
      this.#trial = null;
    }
  }

  /** Variables are of this process alone, so they go over what holds for all. */
  #effectOf(
    { set, sections }: Pick<PolicyInForce, "set" | "sections">,
    overrides: readonly PolicyOverride[],
  ): EffectivePolicy {
    const laid = layOverrides({ set, sections }, overrides);
    const { policy, drift } = applyOverrides(laid.set, this.#config);
    return { policy, drift: [...laid.drift, ...drift] };
  }
}
