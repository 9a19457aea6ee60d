/** What access.yaml says of approvals, and what automation.yaml and healing.yaml say of runs that nobody asked for. */
import type { AutomationGuard, AutomationLimits } from "./automation.js";
import {
  AFTER_FAILURE_FACTOR,
  APPROVAL_WITHIN_MS,
  AUTOMATION_DEFAULTS,
  GUARD_DEFAULTS,
} from "./defaults.js";
import type { AccessRule, Automation } from "./policy.js";
import { toMs } from "./resolve-duration.js";
import type { RawSection } from "./schema.js";

type RawAutomation = RawSection<"automation">[string];
type RawRule = RawSection<"access">["rules"][number];
type RawLimits = RawSection<"healing">["automation"];

/** Whoever may ask may agree to what another asked, unless the rule says who. */
export function resolveAccessRule(raw: RawRule): AccessRule {
  const { runbook = null, danger = null, approvers = {}, approvalWithin, ...rest } = raw;
  return {
    ...{ runbook, danger },
    ...rest,
    approvers: { role: approvers.role ?? raw.role, team: approvers.team ?? null },
    approvalWithinMs: approvalWithin === undefined ? APPROVAL_WITHIN_MS : toMs(approvalWithin),
  };
}

export function resolveAutomation(name: string, raw: RawAutomation): Automation {
  return {
    name,
    when: resolveWhen(raw.when),
    runbook: raw.runbook,
    params: raw.params ?? {},
    guard: resolveGuard(raw.guard),
    trust: raw.trust ?? null,
  };
}

function resolveGuard(raw: RawAutomation["guard"]): AutomationGuard {
  const { cooldown, cooldownAfterFailure, perHourMax, fold, ...rest } = raw;
  const cooldownMs = toMs(cooldown);
  return {
    cooldownMs,
    cooldownAfterFailureMs:
      cooldownAfterFailure === undefined
        ? AFTER_FAILURE_FACTOR * cooldownMs
        : toMs(cooldownAfterFailure),
    perHourMax,
    perTargetPerHourMax: rest.perTargetPerHourMax ?? GUARD_DEFAULTS.perTargetPerHourMax,
    targetsMax: rest.targetsMax ?? GUARD_DEFAULTS.targetsMax,
    foldMs: fold === undefined ? GUARD_DEFAULTS.foldMs : toMs(fold),
  };
}

function resolveWhen({ alert, incident }: RawAutomation["when"]): Automation["when"] {
  if (alert !== undefined) return { on: "alert", level: alert };
  const { titleIncludes = null, dedupKeyPrefix = null } = incident ?? {};
  return { on: "incident", titleIncludes, dedupKeyPrefix };
}

export function resolveAutomationLimits(raw: RawLimits = {}): AutomationLimits {
  const { promotion: given = {}, ...limits } = raw;
  const { promotion, ...defaults } = AUTOMATION_DEFAULTS;
  return {
    ...defaults,
    ...limits,
    promotion: {
      toApprove: { ...promotion.toApprove, ...given.toApprove },
      toAuto: { ...promotion.toAuto, ...given.toAuto },
      demoteAfter: given.demoteAfter ?? promotion.demoteAfter,
    },
  };
}
