/**
 * May this run act, now? Asked before it plans and again before it acts, by the policy then in force: a right that
 * was taken away meanwhile ends it, and who must agree is asked with the plan in hand.
 */
import { formatDuration } from "../../base/duration.js";
import { isAtLeast, type PolicySet, type Role } from "../../policy/policy.js";
import { boundHash } from "../../runbook/approval.js";
import { type ApprovalRule, type Authorization, authorize } from "../../runbook/authorize.js";
import { areAllAuthors } from "../../runbook/authors.js";
import type { Plan, Runbook } from "../../runbook/define.js";
import { type Run, RunParked, RunStopped } from "../../runbook/run.js";
import { readApproval } from "../../store/approval-requests.js";
import type { Database } from "../../store/database.js";
import { parkRun } from "../../store/run-parking.js";
import { runLost } from "../../store/run-steps.js";
import { tellRun } from "../../store/run-telling.js";
import { readRun } from "../../store/runs.js";
import { type AuthorRuleDeps, withAuthors } from "../author-rule.js";

export interface GateDeps extends AuthorRuleDeps {
  readonly db: Database;
  /** How many must agree whatever the rule says: what an automation has not earned yet. */
  readonly approvalsMin: (run: Run) => Promise<number>;
}

/** As if it were asked for now, by the same person with the rights of today. */
export async function judgeRight(
  deps: GateDeps,
  run: Run,
  runbook: Runbook,
): Promise<Authorization> {
  const { access } = deps.policy();
  const role = roleToday(run, access);
  if (role === null) return gone(`${run.actor} is nobody in access.yaml any more`);
  const right = authorize({
    actor: { name: run.actor, role, door: run.door, person: run.person },
    ...{ runbook, access, dryRun: run.dryRun, approvalsMin: await deps.approvalsMin(run) },
  });
  return right.approval ? { ...right, approval: withAuthors(deps, run, right.approval) } : right;
}

function gone(sentence: string): Authorization {
  return { decision: "deny", reason: "no-rule", sentence };
}

/** What was given later does not count for what was asked before; what was taken away does. Null: no right at all. */
function roleToday({ role, person, door }: Run, access: PolicySet["access"]): Role | null {
  if (person !== null) {
    const found = access.people.find(({ name }) => name === person);
    return found ? lower(role, found.role) : null;
  }
  if (door === "pagerduty" || door === "policy") return lower(role, access.serviceRoles[door]);
  return role;
}

function lower(one: Role, other: Role): Role {
  return isAtLeast(one, other) ? other : one;
}

/** Whether enough people agreed to what it is now bound to, and not its authors alone, whoever counted them. */
export async function isAgreed(db: Database, run: Run, rule: ApprovalRule): Promise<boolean> {
  const request = await readApproval(db, run.seq);
  if (request?.outcome !== "approved" || request.boundHash !== run.boundHash) return false;
  const agreed = request.votes.filter(({ decision }) => decision === "approve");
  const people = agreed.map(({ person }) => person);
  return request.needed >= rule.needed && !areAllAuthors(people, rule.authors ?? []);
}

/** What stands between plan and act. */
export function createGate(deps: GateDeps, run: Run, runbook: Runbook) {
  return async (plan: Plan): Promise<void> => {
    const right = await judgeRight(deps, run, runbook);
    if (right.decision === "deny") throw new RunStopped("cancelled", notAllowed(right));
    if (!right.approval) return;
    const hash = hashOf(run, plan);
    if (hash === run.boundHash && (await isAgreed(deps.db, run, right.approval))) return;
    const asked = { rule: right.approval, boundHash: hash };
    const isParked = await deps.db.transaction(async (tx) => {
      if ((await parkRun(tx, run, asked)) === null) return false;
      const parked = await readRun(tx, run.id);
      if (parked) await tellRun(tx, parked, { runbook });
      return true;
    });
    if (!isParked) throw runLost(run);
    throw new RunParked(describeWaiting(right.approval, run.boundHash !== null));
  };
}

export function notAllowed({ sentence }: Authorization): string {
  return `not allowed any more: ${sentence}`;
}

function hashOf(run: Run, plan: Plan): string {
  const { commit, runbook, contentHash, params, targets } = run;
  return boundHash({ commit, runbook, contentHash, params, plan, targets });
}

function describeWaiting(rule: ApprovalRule, again: boolean): string {
  const { needed, role, team, withinMs, authorUnknown = null } = rule;
  const who = `${needed} ${needed === 1 ? "person" : "people"} with the role ${role}${team === null ? "" : ` of ${team}`}`;
  const changed = again ? "the plan has changed, so that " : "";
  const author =
    authorUnknown === null ? "" : ` (who wrote its last change is not known: ${authorUnknown})`;
  return `waiting for approval: ${changed}${who} must agree within ${formatDuration(withinMs)}${author}`;
}
