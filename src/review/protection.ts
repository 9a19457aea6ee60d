/**
 * Is the branch that policies come from guarded? Everything that acts by itself was approved by somebody only
 * if a change of policies cannot land without a review (design 8.5).
 */
import type { BranchVerdict, Protection } from "./port.js";

interface Rule {
  readonly holds: (protection: Protection) => boolean;
  /** What is missing, as a person reads it in the settings of the host. */
  readonly missing: string;
}

const RULES: readonly Rule[] = [
  { holds: (it) => it.pullRequestRequired, missing: "changes need no pull request" },
  { holds: (it) => it.reviews >= 1, missing: "a pull request needs no approving review" },
  { holds: (it) => it.codeOwners, missing: "no review by code owners is needed" },
  { holds: (it) => it.staleDismissed, missing: "an approval outlives the commits after it" },
  { holds: (it) => it.adminsIncluded, missing: "administrators may pass by all of it" },
  { holds: (it) => it.checks.length > 0, missing: "no status check is required" },
  { holds: (it) => !it.forcePush, missing: "force pushes are allowed" },
  { holds: (it) => !it.deletion, missing: "the branch may be deleted" },
];

/** What the host would not tell is never taken for good. */
export function judgeProtection(branch: string, protection: Protection): BranchVerdict {
  if (!protection.known)
    return { branch, verdict: "unknown", missing: ["the host does not say how it is protected"] };
  const missing = RULES.filter(({ holds }) => !holds(protection)).map((rule) => rule.missing);
  return { branch, verdict: missing.length === 0 ? "on" : "off", missing };
}
