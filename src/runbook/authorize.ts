/**
 * May this actor run this runbook through this door? One pure function for every route; deny by default;
 * the first rule that matches decides, and the answer has a name.
 */
import { MINUTE_MS } from "../base/duration.js";
import {
  type Access,
  type AccessRule,
  type Danger,
  type Door,
  isAtLeast,
  type Role,
} from "../policy/policy.js";
import type { Stopped } from "./stop.js";

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
  /** People who wrote what would run, and so are not enough by themselves. Absent: a person asked for the run. */
  readonly authors?: readonly string[] | undefined;
  /** Why somebody else may have written it too; null or absent: all who did are known. */
  readonly authorUnknown?: string | null | undefined;
}

const APPROVAL_WITHIN_MS = 30 * MINUTE_MS;

export type AuthorizeReason =
  | "no-rule"
  | "door-not-allowed"
  | "role-too-low"
  /** It needs approvals, and nobody could tell whether the asker approves himself. */
  | "approval-needs-a-person"
  | "stopped"
  | "second-person-needed"
  | "allowed";

export interface Authorization {
  readonly decision: "allow" | "deny" | "needs-approval";
  readonly reason: AuthorizeReason;
  /** For the asker. */
  readonly sentence: string;
  /** With `needs-approval`: whose. */
  readonly approval?: ApprovalRule;
}

export interface AuthorizeRequest {
  readonly actor: Actor;
  readonly runbook: { readonly name: string; readonly danger: Danger };
  readonly access: Access;
  /** A dry run changes nothing: it needs the right to run, and nobody's approval. */
  readonly dryRun?: boolean | undefined;
  /** How many must agree whatever the rule says: what automation has not earned yet. */
  readonly approvalsMin?: number | undefined;
  /** The stop switch as it is; what only reads may go on looking. */
  readonly stopped?: Stopped | null | undefined;
}

export function authorize(request: AuthorizeRequest): Authorization {
  const { runbook, access } = request;
  const rule = access.rules.find((candidate) => isAbout(candidate, runbook));
  if (!rule) return deny("no-rule", `no rule in access.yaml lets anyone run ${runbook.name}`);
  return findDenial(request, rule) ?? permit(request, rule);
}

/** The rule that is about a runbook: the first that matches. */
function isAbout(rule: AccessRule, runbook: { name: string; danger: Danger | null }): boolean {
  return rule.runbook === null ? rule.danger === runbook.danger : rule.runbook === runbook.name;
}

function findDenial(request: AuthorizeRequest, rule: AccessRule): Authorization | null {
  const { actor, runbook, dryRun = false, stopped = null } = request;
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
  if (stopped !== null && runbook.danger !== "R" && !dryRun)
    return deny(
      "stopped",
      `nothing that changes anything is run: ${stopped.by} stopped it all (${stopped.reason}); an admin lets it go on with /algobrain resume-runbooks or algobrain runbook resume`,
    );
  return null;
}

function permit(request: AuthorizeRequest, rule: AccessRule): Authorization {
  const { actor, runbook, dryRun = false, approvalsMin = 0 } = request;
  const needed = Math.max(rule.approvals, approvalsMin);
  if (dryRun || needed === 0)
    return {
      decision: "allow",
      reason: "allowed",
      sentence: `${actor.name} may run ${runbook.name}`,
    };
  // Under his other name the same human could agree with himself.
  if (!isAutomatic(actor) && !actor.person)
    return deny(
      "approval-needs-a-person",
      `${runbook.name} needs ${people(needed)} to agree, and ${actor.name} is nobody in access.yaml: enter this account under a person there, so that nobody can agree with himself`,
    );
  return {
    decision: "needs-approval",
    reason: "second-person-needed",
    sentence: `${runbook.name} needs ${people(needed)} to agree`,
    approval: approvalOf(rule, needed),
  };
}

/** A set that an older version has published says neither who nor how long: then it is the rule's own role. */
function approvalOf(rule: AccessRule, needed: number): ApprovalRule {
  const { role, team } = rule.approvers ?? { role: rule.role, team: null };
  return { needed, role, team, withinMs: rule.approvalWithinMs ?? APPROVAL_WITHIN_MS };
}

/**
 * May this actor end this run? Whoever asked for it, and whoever may run such: ending is the safe side, so the door
 * does not matter, and nobody has to agree.
 */
export function mayCancel(request: {
  readonly actor: Actor;
  readonly run: {
    readonly id: string;
    readonly runbook: string;
    readonly actor: string;
    readonly person: string | null;
  };
  /** Null: there is no such runbook any more. */
  readonly danger: Danger | null;
  readonly access: Access;
}): Authorization {
  const { actor, run, danger, access } = request;
  const isOwn = run.person === null ? run.actor === actor.name : run.person === actor.person;
  const about = { name: run.runbook, danger };
  const role = access.rules.find((candidate) => isAbout(candidate, about))?.role ?? "admin";
  if (isOwn || isAtLeast(actor.role, role))
    return { decision: "allow", reason: "allowed", sentence: `${actor.name} may cancel ${run.id}` };
  return deny(
    "role-too-low",
    `${run.id} is cancelled by ${run.actor}, who asked for it, or by the role ${role}; ${actor.name} is ${actor.role}`,
  );
}

function people(needed: number): string {
  return `${needed} more ${needed === 1 ? "person" : "people"}`;
}

/** Asked by an alert or an incident, not by a human. */
function isAutomatic({ door }: Actor): boolean {
  return door === "pagerduty" || door === "policy";
}

function deny(reason: AuthorizeReason, sentence: string): Authorization {
  return { decision: "deny", reason, sentence };
}
