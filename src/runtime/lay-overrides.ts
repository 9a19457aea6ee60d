/** The policy in force with the emergency settings that hold, and what they are, for whoever asks what differs. */
import { isJsonObject } from "../base/json.js";
import { overrideValue } from "../policy/override.js";
import type { PolicySet } from "../policy/policy.js";
import type { PolicyOverride } from "../store/policy-overrides.js";
import type { PolicyInForce } from "./policy-in-force.js";
import type { Drift } from "./policy-overrides.js";

export interface LaidOver {
  readonly set: PolicySet;
  readonly drift: readonly Drift[];
}

/** One that cannot be laid over what is in force now is left out, and the drift says why: the rest still holds. */
export function layOverrides(
  { set, sections }: Pick<PolicyInForce, "set" | "sections">,
  overrides: readonly PolicyOverride[],
): LaidOver {
  const { system, environment } = set;
  let laid = { set, sections };
  const drift = overrides.map((override): Drift => {
    if (laid.sections === null)
      return toDrift(
        override,
        "what is in force was made by a program: nothing written to lay it over",
      );
    const done = overrideValue({ sections: laid.sections, system, environment }, override);
    if (!done.ok) return toDrift(override, done.sentence);
    laid = done;
    return toDrift(override, null);
  });
  return { set: laid.set, drift };
}

function toDrift(override: PolicyOverride, unusable: string | null): Drift {
  const { id, path, owner, reason, expiresAt } = override;
  return {
    name: path,
    policyValue: asScalar(override.was),
    value: asScalar(override.value),
    override: { id, owner, reason, until: expiresAt.toISOString() },
    ...(unusable === null ? {} : { unusable }),
  };
}

function asScalar(value: PolicyOverride["value"]): Drift["value"] | null {
  return Array.isArray(value) || isJsonObject(value) ? JSON.stringify(value) : value;
}
