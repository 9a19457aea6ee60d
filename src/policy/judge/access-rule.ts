/**
 * What an access rule that comes, goes or moves means. The first rule that matches decides, so a new rule may also take
 * rights away, and one that goes may give some: it is compared with those that decided before, or decide then.
 */
import { type AccessRule, ROLES } from "../policy.js";
import { type Judge, type Verdict, verdict } from "./row.js";

/** @param rules with the new one among them */
export function judgeRuleAdded(rule: AccessRule, rules: readonly AccessRule[]): Verdict {
  const decided = behind(rule, rules);
  const stricter = decidesAll(rule, decided) && !decided.some((other) => grantsMore(rule, other));
  return verdict(`new rule: ${inWords(rule)}`, [
    stricter ? "stricter" : "looser",
    stricter ? "no more than before" : "more rights",
  ]);
}

/** @param rules with the one that goes still among them */
export function judgeRuleRemoved(rule: AccessRule, rules: readonly AccessRule[]): Verdict {
  const looser = behind(rule, rules).some((other) => grantsMore(other, rule));
  return verdict(`rule is gone: ${inWords(rule)}`, [
    looser ? "looser" : "stricter",
    looser ? "the rules behind it give more" : "fewer rights",
  ]);
}

/** Those that decide where this one does not; rules ahead of it decide the same with it and without it. */
function behind(rule: AccessRule, rules: readonly AccessRule[]): AccessRule[] {
  return rules.slice(rules.indexOf(rule) + 1).filter((other) => overlaps(rule, other));
}

/** Whether nothing that the rule is for would be denied without it. */
function decidesAll({ runbook, danger }: AccessRule, others: readonly AccessRule[]): boolean {
  if (runbook === null) return others.some((other) => other.danger === danger);
  const dangers = ["R", "V", "D"].every((one) => others.some((other) => other.danger === one));
  return dangers || others.some((other) => other.runbook === runbook);
}

export const judgeRuleOrder: Judge = ({ operation }) =>
  verdict(`rules in another order: ${operation.op === "order" ? operation.names.join(", ") : ""}`, [
    "looser",
    "the first that matches decides",
  ]);

/** Whether one runbook may be meant by both. Which danger a runbook has stands in the catalogue, so it may be any. */
function overlaps(a: AccessRule, b: AccessRule): boolean {
  if (a.runbook !== null && b.runbook !== null) return a.runbook === b.runbook;
  if (a.danger !== null && b.danger !== null) return a.danger === b.danger;
  return true;
}

function grantsMore(rule: AccessRule, than: AccessRule): boolean {
  return (
    ROLES.indexOf(rule.role) < ROLES.indexOf(than.role) ||
    rule.approvals < than.approvals ||
    grantsApproval(rule, than) ||
    rule.doors.some((door) => !than.doors.includes(door))
  );
}

/** Whether people may agree who could not before; only where anybody must. */
function grantsApproval({ approvals, approvers: is }: AccessRule, than: AccessRule): boolean {
  if (approvals === 0 || than.approvals === 0) return false;
  const was = than.approvers;
  return (
    ROLES.indexOf(is.role) < ROLES.indexOf(was.role) || (was.team !== null && was.team !== is.team)
  );
}

function inWords({ role, doors, approvals }: AccessRule): string {
  return `from ${role} on, through ${doors.join(", ")}, ${approvals} must agree`;
}
