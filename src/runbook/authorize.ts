/**
 * May this actor run this runbook through this door? One pure function for every route; deny by default;
 * the first rule that matches decides, and the answer has a name.
 */
import {
  type Access,
  type AccessRule,
  type Danger,
  type Door,
  isAtLeast,
  type Role,
} from "../policy/policy.js";

export interface Actor {
  /** A person's name in access.yaml, `cli:<user>`, `service:pagerduty` or `policy:<automation>`. */
  readonly name: string;
  readonly role: Role;
  readonly door: Door;
  /** Who of access.yaml it is; null or absent: a service, or nobody we know. */
  readonly person?: string | null | undefined;
}

/** Who must agree before it happens, and within how many milliseconds. */
export interface ApprovalRule {
  readonly needed: number;
  readonly role: Role;
  /** Null: of any team. */
  readonly team: string | null;
  readonly withinMs: number;
}

export type AuthorizeReason =
  | "no-rule"
  | "door-not-allowed"
  | "role-too-low"
  | "second-person-needed"
  | "allowed";

export interface Authorization {
  readonly decision: "allow" | "deny" | "needs-approval";
  readonly reason: AuthorizeReason;
  /** For the asker. */
  readonly sentence: string;
}

export function authorize(request: {
  readonly actor: Actor;
  readonly runbook: { readonly name: string; readonly danger: Danger };
  readonly access: Access;
}): Authorization {
  const { actor, runbook, access } = request;
  const rule = access.rules.find((candidate) => isAbout(candidate, runbook));
  if (!rule) return deny("no-rule", `no rule in access.yaml lets anyone run ${runbook.name}`);
  if (!rule.doors.includes(actor.door))
    return deny(
      "door-not-allowed",
      `${runbook.name} may not be run through ${actor.door}, only through ${rule.doors.join(", ")}`,
    );
  if (!isAtLeast(actor.role, rule.role))
    return deny(
      "role-too-low",
      `${runbook.name} needs the role ${rule.role}, and ${actor.name} is ${actor.role}`,
    );
  if (rule.approvals > 0)
    return {
      decision: "needs-approval",
      reason: "second-person-needed",
      sentence: `${runbook.name} needs ${rule.approvals} more ${rule.approvals === 1 ? "person" : "people"} to agree: approvals are not available yet, so it was not run`,
    };
  return {
    decision: "allow",
    reason: "allowed",
    sentence: `${actor.name} may run ${runbook.name}`,
  };
}

function isAbout(rule: AccessRule, runbook: { name: string; danger: Danger }): boolean {
  return rule.runbook === null ? rule.danger === runbook.danger : rule.runbook === runbook.name;
}

function deny(reason: AuthorizeReason, sentence: string): Authorization {
  return { decision: "deny", reason, sentence };
}
