/** A set that an older version has put in force lacks what came later: the defaults of today hold for that. */
import {
  ADOPTION_DEFAULTS,
  AFTER_FAILURE_FACTOR,
  APPROVAL_WITHIN_MS,
  AUTOMATION_DEFAULTS,
  CACHE_DEFAULTS,
  GUARD_DEFAULTS,
  MONITORING_DEFAULTS,
  RECEIVER_DEFAULTS,
  RESPONSE_DEFAULTS,
  WORKLOAD_DEFAULTS,
} from "./defaults.js";
import {
  EXECUTOR_SCALING,
  EXECUTOR_SIZE,
  infrastructureDefaults,
} from "./infrastructure-defaults.js";
import { isFields } from "./layout.js";
import {
  type Access,
  type AlertRule,
  type Automation,
  type EscalationStep,
  type PolicySet,
  RETENTION_DEFAULTS,
  type Receiver,
} from "./policy.js";
import { resolveBreakers } from "./resolve-breakers.js";
import { afterByPlace } from "./resolve-routes.js";
import type { Infrastructure } from "./services.js";

const LATER_SECTIONS = {
  flags: {},
  cache: CACHE_DEFAULTS,
  adoption: ADOPTION_DEFAULTS,
  workload: WORKLOAD_DEFAULTS,
  silences: [],
  exceptions: [],
};

/**
 * Every section and key that `PolicySet` promises. A set of this version comes back with the same values.
 * @param stored what `control.policy_revision` holds, after its digest has been compared
 */
export function completeSet(stored: PolicySet): PolicySet {
  const { healing, retention, routes, access, scaling } = stored;
  return {
    ...LATER_SECTIONS,
    ...stored,
    alerts: stored.alerts.map(completeRule),
    monitoring: { ...MONITORING_DEFAULTS, ...stored.monitoring },
    healing: {
      ...healing,
      automation: healing.automation ?? AUTOMATION_DEFAULTS,
      breakers: { ...resolveBreakers(), ...healing.breakers },
    },
    scaling: { ...scaling, executor: scaling.executor ?? EXECUTOR_SCALING },
    infrastructure: completeInfrastructure(stored),
    retention: { ...RETENTION_DEFAULTS, ...retention },
    routes: {
      ...routes,
      receivers: Object.fromEntries(
        Object.entries(routes.receivers).map(([name, receiver]) => [
          name,
          completeReceiver(receiver),
        ]),
      ),
      severities: routes.severities ?? RESPONSE_DEFAULTS,
      escalation: routes.escalation.map(completeStep),
    },
    access: completeAccess(access),
    automation: stored.automation.map(completeAutomation),
  };
}

/** Each instance was told by itself, and nothing was held back. */
function completeRule(rule: AlertRule): AlertRule {
  return {
    ...rule,
    levels: rule.levels.map((level) => ({ ...level, mOf: level.mOf ?? null })),
    groupBy: rule.groupBy ?? null,
    inhibitedBy: rule.inhibitedBy ?? [],
  };
}

function completeInfrastructure({ infrastructure, environment }: PolicySet): Infrastructure {
  const { services } = infrastructure;
  const defaults = infrastructureDefaults(infrastructure.cluster, environment);
  return {
    ...infrastructure,
    ...laid(defaults, infrastructure),
    services: { ...services, executor: services.executor ?? EXECUTOR_SIZE },
  };
}

/** What is stored, over what holds without it, at every depth: sections have been given keys since. */
function laid<T extends object>(defaults: T, stored: object): T {
  const known: Readonly<Record<string, unknown>> = { ...stored };
  const entries = Object.entries(defaults).map(([key, otherwise]: [string, unknown]) => {
    const value = known[key];
    if (isFields(otherwise) && isFields(value))
      return [key, { ...value, ...laid(otherwise, value) }];
    return [key, value === undefined ? otherwise : value];
  });
  return Object.fromEntries(entries) as T;
}

function completeReceiver(receiver: Receiver): Receiver {
  const { triesMax = RECEIVER_DEFAULTS[receiver.kind].triesMax } = receiver;
  return { ...receiver, triesMax, sendResolved: receiver.sendResolved ?? true };
}

function completeAccess(access: Access): Access {
  return {
    ...access,
    groups: access.groups ?? {},
    people: access.people.map((person) => ({ ...person, teams: person.teams ?? [] })),
    rules: access.rules.map((rule) => ({
      ...rule,
      approvers: rule.approvers ?? { role: rule.role, team: null },
      approvalWithinMs: rule.approvalWithinMs ?? APPROVAL_WITHIN_MS,
    })),
  };
}

/** Until the policies of today come into force it does what it did: it ran without a person, and nobody had to say so. */
const TRUSTED_BEFORE = {
  level: "auto",
  because: "it ran without a person before trust had to be written",
} as const;

function completeAutomation(stored: Automation): Automation {
  const { guard, trust = TRUSTED_BEFORE } = stored;
  const later = {
    ...GUARD_DEFAULTS,
    cooldownAfterFailureMs: AFTER_FAILURE_FACTOR * guard.cooldownMs,
  };
  return { ...stored, guard: { ...later, ...guard }, trust };
}

/** The version before wrote the names of the roles alone. */
function completeStep(step: EscalationStep | string, at: number): EscalationStep {
  return typeof step === "string" ? { role: step, afterMs: afterByPlace(at) } : step;
}
