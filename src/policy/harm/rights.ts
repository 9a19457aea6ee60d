/** Rights that would be given away: runbooks for everybody, more admins, automation without bounds. */
import { HOUR_MS } from "../../base/duration.js";
import type { AutomationLimits } from "../automation.js";
import {
  type Access,
  type AccessRule,
  type Automation,
  type PolicySet,
  ROLES,
  type Role,
} from "../policy.js";
import { isCommitSubject } from "../subject.js";
import type { Held } from "./held.js";

/** Runs of one automation in an hour that nobody needs to have looked at. */
const PER_HOUR_MAX = 12;

export function findRightsHarm(before: PolicySet, after: PolicySet): Held[] {
  return [
    ...findOpenClasses(before.access, after.access),
    ...findOpenRunbooks(before.access, after.access),
    ...findNewAdmins(before.access, after.access),
    ...findRaisedServices(before.access, after.access),
    ...findUnboundAutomation(before, after),
    ...findGrantedTrust(before, after),
    ...findLoosenedAutomation(before.healing.automation, after.healing.automation),
  ];
}

/** The first rule that matches decides; none: deny. */
function ruleOfClass({ rules }: Access, danger: "V" | "D"): AccessRule | undefined {
  return rules.find((rule) => rule.runbook === null && rule.danger === danger);
}

function findOpenClasses(before: Access, after: Access): Held[] {
  return (["V", "D"] as const).flatMap((danger): Held[] => {
    const [was, is] = [ruleOfClass(before, danger), ruleOfClass(after, danger)];
    if (!is) return [];
    const subject = `access.rules of danger ${danger}`;
    const opened = openedBy(was, is, danger === "D");
    if (opened !== null)
      return [{ reason: "access-for-everybody", subject, sentence: `${subject}: ${opened}` }];
    if (danger === "V" || !is.doors.includes("policy") || was?.doors.includes("policy")) return [];
    const sentence = `${subject}: what destroys could be started by automation, without a person`;
    return [{ reason: "automation-unbounded", subject, sentence }];
  });
}

/** By name, past the rule of its class. How dangerous it is the policy does not say: the strictest class is compared. */
function findOpenRunbooks(before: Access, after: Access): Held[] {
  const named = new Set(after.rules.flatMap(({ runbook }) => runbook ?? []));
  const ruleOf = ({ rules }: Access, name: string) => rules.find((rule) => rule.runbook === name);
  return [...named].flatMap((name): Held[] => {
    const was = ruleOf(before, name) ?? ruleOfClass(before, "D");
    const opened = openedBy(was, ruleOf(after, name)!, true);
    if (opened === null) return [];
    const subject = `access.rules of ${name}`;
    return [{ reason: "access-for-everybody", subject, sentence: `${subject}: ${opened}` }];
  });
}

function openedBy(
  was: AccessRule | undefined,
  is: AccessRule,
  needsSecond: boolean,
): string | null {
  if (is.role === "viewer" && was?.role !== "viewer")
    return `every viewer could run it (${was ? `now: ${was.role}` : "now: nobody"})`;
  const second = was?.approvals ?? 1;
  return needsSecond && is.approvals === 0 && second > 0
    ? "nobody else would have to agree any more"
    : null;
}

/** Whoever writes the change may be the one who gains: somebody else looks at it. */
function findNewAdmins(before: Access, after: Access): Held[] {
  const known = new Map(before.people.map((person) => [person.name, person]));
  const people = after.people.flatMap((person): Held[] => {
    if (person.role !== "admin") return [];
    const was = known.get(person.name);
    const subjects = person.subjects.filter((subject) => !isCommitSubject(subject));
    const identities = [...person.slack, ...subjects, ...(person.github ?? "").split(" ")];
    const old = new Set(was ? [...was.slack, ...was.subjects, was.github ?? "", ""] : []);
    const gained = identities.filter((one) => !old.has(one));
    if (was?.role === "admin" && gained.length === 0) return [];
    const what =
      was?.role === "admin" ? `could also sign in as ${gained.join(", ")}` : "would be admin";
    return [selfGranted(`access.people.${person.name}`, `${person.name} ${what}`)];
  });
  const groups = Object.entries(after.groups).flatMap(([name, role]) =>
    role === "admin" && before.groups[name] !== "admin"
      ? [selfGranted(`access.groups.${name}`, `everybody in the group ${name} would be admin`)]
      : [],
  );
  return [...people, ...groups];
}

function findRaisedServices(before: Access, after: Access): Held[] {
  return (["pagerduty", "policy"] as const).flatMap((name) => {
    const [was, is] = [before.serviceRoles[name], after.serviceRoles[name]];
    if (rankOf(is) <= rankOf(was)) return [];
    return [selfGranted(`access.serviceRoles.${name}`, `${name} would be ${is} instead of ${was}`)];
  });
}

function rankOf(role: Role): number {
  return ROLES.indexOf(role);
}

function selfGranted(subject: string, sentence: string): Held {
  return { reason: "access-self-granted", subject, sentence };
}

function findUnboundAutomation(before: PolicySet, after: PolicySet): Held[] {
  const former = new Map(before.automation.map((one) => [one.name, one]));
  return after.automation.flatMap((one): Held[] => {
    const was = former.get(one.name);
    const same = was !== undefined && was.runbook === one.runbook;
    const [perHour, known] = [perHourOf(one), same ? perHourOf(was) : 0];
    if (perHour <= PER_HOUR_MAX || perHour <= known) return [];
    const subject = `automation.${one.name}`;
    const sentence = `${subject} could run ${one.runbook} ${perHour} times an hour without a person (at most ${PER_HOUR_MAX} come into force by themselves)`;
    return [{ reason: "automation-unbounded", subject, sentence }];
  });
}

/** `auto` is earned by runs; that it is given beforehand, somebody has looked at. */
function findGrantedTrust(before: PolicySet, after: PolicySet): Held[] {
  const former = new Map(before.automation.map((one) => [one.name, one]));
  return after.automation.flatMap(({ name, runbook, trust }): Held[] => {
    const was = former.get(name);
    if (trust?.level !== "auto" || (was?.runbook === runbook && was.trust?.level === "auto"))
      return [];
    const subject = `automation.${name}`;
    const sentence = `${subject} could run ${runbook} without a person before it has earned that`;
    return [{ reason: "automation-unbounded", subject, sentence }];
  });
}

/** All automation together may do this many times what it could, and no more comes into force by itself. */
const LIMITS_FACTOR = 3;

function findLoosenedAutomation(was: AutomationLimits, is: AutomationLimits): Held[] {
  return (["globalPerHourMax", "breakerAfter", "depthMax"] as const).flatMap((key): Held[] => {
    if (is[key] <= LIMITS_FACTOR * was[key]) return [];
    const subject = `healing.automation.${key}`;
    const sentence = `${subject} would go from ${was[key]} to ${is[key]}: automation would be held back less`;
    return [{ reason: "automation-unbounded", subject, sentence }];
  });
}

/** For one target; the cool-down may allow less than the hour does. */
function perHourOf({ guard }: Automation): number {
  const byCooldown = guard.cooldownMs > 0 ? Math.ceil(HOUR_MS / guard.cooldownMs) : Infinity;
  return Math.min(guard.perHourMax, byCooldown);
}
