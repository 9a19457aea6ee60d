/** A set that an older version has put in force lacks what came later: the defaults of today hold for that. */
import { ADOPTION_DEFAULTS, CACHE_DEFAULTS, RESPONSE_DEFAULTS } from "./defaults.js";
import { type EscalationStep, type PolicySet, RETENTION_DEFAULTS } from "./policy.js";
import { resolveBreakers } from "./resolve-breakers.js";
import { afterByPlace } from "./resolve-routes.js";

const LATER_SECTIONS = { flags: {}, cache: CACHE_DEFAULTS, adoption: ADOPTION_DEFAULTS };

/**
 * Every section and key that `PolicySet` promises. A set of this version comes back with the same values.
 * @param stored what `control.policy_revision` holds, after its digest has been compared
 */
export function completeSet(stored: PolicySet): PolicySet {
  const { healing, retention, routes, access } = stored;
  return {
    ...LATER_SECTIONS,
    ...stored,
    healing: { ...healing, breakers: healing.breakers ?? resolveBreakers() },
    retention: { ...RETENTION_DEFAULTS, ...retention },
    routes: {
      ...routes,
      severities: routes.severities ?? RESPONSE_DEFAULTS,
      escalation: routes.escalation.map(completeStep),
    },
    access: { ...access, groups: access.groups ?? {} },
  };
}

/** The version before wrote the names of the roles alone. */
function completeStep(step: EscalationStep | string, at: number): EscalationStep {
  return typeof step === "string" ? { role: step, afterMs: afterByPlace(at) } : step;
}
