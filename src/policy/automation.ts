/** What bounds runs that nobody asked for, and how a runbook earns that it may be started so. Pure types. */

export interface AutomationGuard {
  /** Not again for the same target within this time after a run ended, and after one that failed. */
  readonly cooldownMs: number;
  readonly cooldownAfterFailureMs: number;
  /** Runs of the same runbook in an hour. */
  readonly perHourMax: number;
  /** Runs of all automation on one target in an hour. */
  readonly perTargetPerHourMax: number;
  /** Targets that one run may touch. */
  readonly targetsMax: number;
  /** Causes that come this soon after another's join its run. */
  readonly foldMs: number;
}

/** How far a runbook is trusted without a person: never, when people agree, or alone. */
export const PROMOTION_LEVELS = ["manual", "approve", "auto"] as const;
export type PromotionLevel = (typeof PROMOTION_LEVELS)[number];

export interface PromotionRules {
  readonly toApprove: { readonly drills: number; readonly verified: number };
  /** `days`: distinct days with a verified run. */
  readonly toAuto: { readonly drills: number; readonly verified: number; readonly days: number };
  /** Failures in a row after which a level is lost. */
  readonly demoteAfter: number;
}

/** What bounds all automatic runs together. */
export interface AutomationLimits {
  /** Runs of all automation in an hour. */
  readonly globalPerHourMax: number;
  /** Failed verifications in a row after which a runbook no longer runs by itself. */
  readonly breakerAfter: number;
  /** Runs of ours on the way to a cause that may still start another. */
  readonly depthMax: number;
  readonly promotion: PromotionRules;
}
