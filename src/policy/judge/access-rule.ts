/**
 * What an access rule that comes, goes or moves means. The first rule that matches decides, so a new rule may also take
 * rights away, and one that goes may give some: it is compared with those that decided before, or decide then.
 */
import { type AccessRule, ROLES } from "../policy.js";
import { type Judge, type Verdict, verdict } from "./row.js";

/** @param before the rules that decided until now */
export function judgeRuleAdded(rule: AccessRule, before: readonly AccessRule[]): Verdict {
  const deciding = before.filter((other) => overlaps(rule, other));
  const stricter = deciding.length > 0 && deciding.every((other) => !grantsMore(rule, other));
  return verdict(`new rule: ${inWords(rule)}`, [
    stricter ? "stricter" : "looser",
    stricter ? "no more than before" : "more rights",
  ]);
}

/** @param after the rules that decide from now on */
export function judgeRuleRemoved(rule: AccessRule, after: readonly AccessRule[]): Verdict {
  const looser = after.some((other) => overlaps(rule, other) && grantsMore(other, rule));
  return verdict(`rule is gone: ${inWords(rule)}`, [
    looser ? "looser" : "stricter",
    looser ? "the rules behind it give more" : "fewer rights",
  ]);
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
    rule.doors.some((door) => !than.doors.includes(door))
  );
}

function inWords({ role, doors, approvals }: AccessRule): string {
  return `from ${role} on, through ${doors.join(", ")}, ${approvals} must agree`;
}
