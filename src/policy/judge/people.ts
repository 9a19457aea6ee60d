/** What a change of routes, access, automation or the catalogue means: who is told, and who may do what. */
import type { Json } from "../../base/json.js";
import { PROMOTION_LEVELS } from "../automation.js";
import { type AccessRule, type Automation, ROLES } from "../policy.js";
import { duration, plain, value } from "../words.js";
import { judgeRuleAdded, judgeRuleOrder, judgeRuleRemoved } from "./access-rule.js";
import {
  amount,
  entry,
  exchange,
  type Judge,
  type Meaning,
  members,
  type Rows,
  ranked,
  toggle,
  verdict,
} from "./row.js";

const ELSEWHERE: Meaning = ["looser", "told elsewhere: make sure that somebody reads there"];
const MORE_RIGHTS: Meaning = ["looser", "more rights"];
const FEWER_RIGHTS: Meaning = ["stricter", "fewer rights"];

const judgeReceiverKind: Judge = ({ before, after }) => {
  const words = `kind ${value(before)} → ${value(after)}`;
  if (before === "pagerduty") return verdict(words, ["looser", "wakes nobody any more"]);
  return after === "pagerduty"
    ? verdict(words, ["stricter", "wakes people now"])
    : verdict(words, ELSEWHERE);
};

/** The next business day is later than any time. */
const judgeResponse: Judge = ({ before, after }) => {
  const read = (json: Json | undefined) =>
    (json as { withinMs?: number } | undefined)?.withinMs ?? Number.POSITIVE_INFINITY;
  const show = (ms: number) =>
    ms === Number.POSITIVE_INFINITY ? "the next business day" : duration(ms);
  const [from, to] = [read(before), read(after)];
  return verdict(
    `within ${show(from)} → ${show(to)}`,
    to > from ? ["looser", "answered later"] : ["stricter", "answered sooner"],
  );
};

const ROUTE_ROWS: Rows = {
  "routes.receivers.*": entry({
    added: ["new", "the receiver is new"],
    removed: ["gone", "the receiver is gone"],
  }),
  "routes.receivers.*.name": exchange("name"),
  "routes.receivers.*.kind": judgeReceiverKind,
  "routes.receivers.*.channel": exchange("channel", ELSEWHERE),
  "routes.receivers.*.url": exchange("address", ELSEWHERE),
  "routes.receivers.*.to": members({
    lost: ["looser", "no longer told:"],
    gained: ["stricter", "now also told:"],
  }),
  "routes.receivers.*.triesMax": amount("tried", plain, {
    more: ["stricter", "given up later"],
    less: ["looser", "given up sooner"],
    absent: "for a day",
  }),
  "routes.receivers.*.sendResolved": toggle("ends are told:", {
    on: ["stricter", "people learn that it is over"],
    off: ["looser", "nobody learns that it is over"],
  }),
  "routes.receivers.*.perMinuteMax": amount("told one by one up to, in a minute", plain, {
    more: ["stricter", "digests begin later"],
    less: ["looser", "digests begin sooner"],
  }),
  "routes.escalation.*": entry({
    added: ["stricter", "is called too"],
    removed: ["looser", "is not called any more"],
  }),
  "routes.escalation.*.role": exchange("role"),
  "routes.escalation.*.afterMs": amount("called after", duration, {
    more: ["looser", "called later"],
    less: ["stricter", "called sooner"],
  }),
  ...Object.fromEntries(
    ["critical", "operator"].map((group) => [
      `routes.runtimeReceivers.${group}`,
      members({
        lost: ["looser", `${group} words of the runtime no longer go to`],
        gained: ["stricter", `${group} words of the runtime also go to`],
      }),
    ]),
  ),
  "routes.severities.*": judgeResponse,
};

const PERSON_ROLE = ranked("role", ROLES, { more: MORE_RIGHTS, less: FEWER_RIGHTS });
const IDENTITIES = members({
  lost: ["stricter", "no longer speaks as"],
  gained: ["looser", "now also speaks as"],
});

const TEAMS = members({
  lost: ["stricter", "no longer agrees as one of"],
  gained: ["looser", "now also agrees as one of"],
});

/** Another team is neither more nor fewer people: somebody looks. */
const judgeApprovers: Judge = ({ before, after }) => {
  const [was, is] = [before, after] as unknown as [
    AccessRule["approvers"],
    AccessRule["approvers"],
  ];
  const show = ({ role, team }: AccessRule["approvers"]) => (team ? `${role} of ${team}` : role);
  const stricter =
    ROLES.indexOf(is.role) >= ROLES.indexOf(was.role) &&
    (was.team === null || was.team === is.team);
  return verdict(`who may agree ${show(was)} → ${show(is)}`, [
    stricter ? "stricter" : "looser",
    stricter ? "fewer may agree" : "others may agree",
  ]);
};

const judgePerson: Judge = ({ operation, before, after }) => {
  const { role } = (after ?? before ?? {}) as { role?: string };
  return operation.op === "add"
    ? verdict(`is new as ${role}`, MORE_RIGHTS)
    : verdict(`is gone, was ${role}`, FEWER_RIGHTS);
};

const judgeGroup: Judge = (seen) => {
  const { operation, before, after } = seen;
  if (operation.op === "set") return PERSON_ROLE(seen);
  return operation.op === "add"
    ? verdict(`its members become ${value(after)}`, MORE_RIGHTS)
    : verdict(`its members are no longer ${value(before)}`, FEWER_RIGHTS);
};

const ACCESS_ROWS: Rows = {
  "access.people.*": judgePerson,
  "access.people.*.name": exchange("name"),
  "access.people.*.role": PERSON_ROLE,
  "access.people.*.slack": IDENTITIES,
  "access.people.*.subjects": IDENTITIES,
  "access.people.*.teams": TEAMS,
  "access.people.*.github": exchange("GitHub login", ["looser", "another account has the rights"]),
  "access.groups.*": judgeGroup,
  "access.serviceRoles.pagerduty": ranked("PagerDuty acts as", ROLES, {
    more: MORE_RIGHTS,
    less: FEWER_RIGHTS,
  }),
  "access.serviceRoles.policy": ranked("automation acts as", ROLES, {
    more: MORE_RIGHTS,
    less: FEWER_RIGHTS,
  }),
  "access.rules": judgeRuleOrder,
  "access.rules.*": ({ operation, sets, before, after }) =>
    operation.op === "add"
      ? judgeRuleAdded(after as unknown as AccessRule, sets.after.access.rules)
      : judgeRuleRemoved(before as unknown as AccessRule, sets.before.access.rules),
  "access.rules.*.runbook": exchange("for", MORE_RIGHTS),
  "access.rules.*.danger": exchange("for", MORE_RIGHTS),
  "access.rules.*.role": ranked("least role", ROLES, { more: FEWER_RIGHTS, less: MORE_RIGHTS }),
  "access.rules.*.doors": members({
    lost: ["stricter", "no longer through"],
    gained: ["looser", "now also through"],
  }),
  "access.rules.*.approvals": amount("people who must agree", plain, {
    more: ["stricter", "more must agree"],
    less: ["looser", "fewer must agree"],
  }),
  "access.rules.*.approvers": judgeApprovers,
  "access.rules.*.approvalWithinMs": amount("nobody's answer is a no after", duration, {
    more: ["looser", "may be agreed to later"],
    less: ["stricter", "must be agreed to sooner"],
  }),
};

const LESS_OFTEN: Meaning = ["stricter", "starts less often"];
const MORE_OFTEN: Meaning = ["looser", "starts more often"];

const judgeTrust: Judge = ({ before, after }) => {
  const [was, is] = [before, after].map((one) => one as unknown as Automation["trust"]);
  const [from, to] = [was?.level ?? "manual", is?.level ?? "manual"];
  if (from === to) return verdict(`trusted as ${to}`, ["neutral", "for another reason"]);
  const more = PROMOTION_LEVELS.indexOf(to) > PROMOTION_LEVELS.indexOf(from);
  return verdict(`trusted ${from} → ${to}`, [
    more ? "looser" : "stricter",
    more ? "before it has earned it" : "it has to earn it",
  ]);
};

const STARTS_OTHERWISE: Meaning = ["looser", "starts by itself in another way"];

const AUTOMATION_ROWS: Rows = {
  "automation.*": entry({
    added: ["looser", "starts by itself from now on"],
    removed: ["stricter", "does not start by itself any more"],
  }),
  "automation.*.name": exchange("name"),
  "automation.*.when": exchange("when", STARTS_OTHERWISE),
  "automation.*.runbook": exchange("runbook", STARTS_OTHERWISE),
  "automation.*.params": exchange("with", STARTS_OTHERWISE),
  "automation.*.guard.cooldownMs": amount("not again within", duration, {
    more: LESS_OFTEN,
    less: MORE_OFTEN,
  }),
  "automation.*.guard.cooldownAfterFailureMs": amount("not after a failure within", duration, {
    more: LESS_OFTEN,
    less: MORE_OFTEN,
  }),
  "automation.*.guard.perHourMax": amount("starts in an hour", plain, {
    more: MORE_OFTEN,
    less: LESS_OFTEN,
  }),
  "automation.*.guard.perTargetPerHourMax": amount("starts on one target in an hour", plain, {
    more: MORE_OFTEN,
    less: LESS_OFTEN,
  }),
  "automation.*.guard.targetsMax": amount("targets of one run", plain, {
    more: ["looser", "touches more at once"],
    less: ["stricter", "touches less at once"],
  }),
  "automation.*.guard.foldMs": amount("causes join a run for", duration, {
    more: LESS_OFTEN,
    less: MORE_OFTEN,
  }),
  "automation.*.trust": judgeTrust,
};

export const PEOPLE_ROWS: Rows = {
  ...ROUTE_ROWS,
  ...ACCESS_ROWS,
  ...AUTOMATION_ROWS,
  "runbooks.*": ({ operation, before, after }) =>
    operation.op === "set"
      ? verdict(`${value(before)} → ${value(after)}`, [
          "neutral",
          after === "built" ? "may be run now" : "cannot be run any more",
        ])
      : verdict(value(after ?? before), [
          operation.op === "add" ? "new" : "gone",
          "in the catalogue",
        ]),
};
