/**
 * What automation may still spend: cool-downs and the three budgets of an hour, over runs that really began or still
 * may. Pure; `now` is the database's.
 */
import { formatAge, formatDuration, HOUR_MS } from "../base/duration.js";
import type { AutomationGuard, AutomationLimits } from "../policy/automation.js";
import type { Automation } from "../policy/policy.js";
import { isFinal, type RunStatus } from "./run.js";
import { overlap } from "./target.js";

/** An automatic run, whichever automation asked for it. */
export interface PastRun {
  readonly id: string;
  readonly runbook: string;
  readonly automation: string;
  readonly targets: readonly string[];
  readonly causeKey: string | null;
  readonly causeDepth: number;
  readonly status: RunStatus;
  readonly verified: boolean | null;
  readonly requestedAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

/** What bounds one automation and all of them together. */
export interface Budget extends AutomationGuard {
  readonly globalPerHourMax: number;
  readonly depthMax: number;
}

/** One cause that asks for one run. */
export interface Asked {
  readonly automation: Pick<Automation, "name" | "runbook">;
  readonly targets: readonly string[];
  /** `incident:Q1…` or `alert:AR-06/instance`. */
  readonly causeKey: string;
  /** Runs of ours on the way to this cause; see `depthOf`. */
  readonly causeDepth: number;
  /** The cause is a word of our own about a run or about automation. */
  readonly byOurselves: boolean;
}

/** @param targetsMax of the runbook's own definition: both must allow what is touched */
export function budgetOf(
  guard: AutomationGuard,
  { globalPerHourMax, depthMax }: AutomationLimits,
  targetsMax: number,
): Budget {
  const smaller = Math.min(guard.targetsMax, targetsMax);
  return { ...guard, globalPerHourMax, depthMax, targetsMax: smaller };
}

/** How far back runs matter, in milliseconds: the hour of the budgets, or what keeps automation away for longer. */
export function memoryOf({ cooldownMs, cooldownAfterFailureMs, foldMs }: AutomationGuard): number {
  return Math.max(HOUR_MS, cooldownMs, cooldownAfterFailureMs, foldMs);
}

export type BudgetReason =
  | "cooling-down"
  | "cooling-down-after-failure"
  | "target-budget-spent"
  | "budget-spent"
  | "global-budget-spent";

export interface Spending {
  readonly asked: Asked;
  readonly budget: Budget;
  readonly past: readonly PastRun[];
  readonly nowMs: number;
}

/** Null: there is enough left of it. */
export type BudgetRule = (
  given: Spending,
) => { readonly reason: BudgetReason; readonly sentence: string } | null;

const findCoolDown: BudgetRule = (given) => {
  const { asked, budget, nowMs } = given;
  for (const run of ofRunbook(given).filter((one) => isAboutSame(one, asked))) {
    const failed = isFailed(run);
    const quietMs = isOpen(run) ? 0 : Math.max(0, nowMs - quietSince(run));
    const neededMs = failed ? budget.cooldownAfterFailureMs : budget.cooldownMs;
    if (quietMs >= neededMs) continue;
    const ended = `${failed ? "did not succeed" : "ended"} ${formatAge(quietMs)} ago`;
    return {
      reason: failed ? "cooling-down-after-failure" : "cooling-down",
      sentence: `${run.id} ${isOpen(run) ? "is at work" : ended}, and the next run may follow after ${formatDuration(neededMs)}`,
    };
  }
  return null;
};

const findTargetBudget: BudgetRule = ({ asked, budget: { perTargetPerHourMax }, past, nowMs }) => {
  for (const target of asked.targets) {
    const spent = countLastHour(
      past.filter((run) => overlap(run.targets, [target])),
      nowMs,
    );
    if (spent >= perTargetPerHourMax)
      return {
        reason: "target-budget-spent",
        sentence: `automation worked on ${target} ${times(spent)} within ${formatDuration(HOUR_MS)}, and its budget is ${perTargetPerHourMax}`,
      };
  }
  return null;
};

const findRunbookBudget: BudgetRule = (given) => {
  const { asked, budget, nowMs } = given;
  const spent = countLastHour(ofRunbook(given), nowMs);
  return spent < budget.perHourMax
    ? null
    : {
        reason: "budget-spent",
        sentence: `automation ran ${asked.automation.runbook} ${times(spent)} within ${formatDuration(HOUR_MS)}, and its budget is ${budget.perHourMax}`,
      };
};

const findGlobalBudget: BudgetRule = ({ budget: { globalPerHourMax }, past, nowMs }) => {
  const spent = countLastHour(past, nowMs);
  return spent < globalPerHourMax
    ? null
    : {
        reason: "global-budget-spent",
        sentence: `all automation together ran ${times(spent)} within ${formatDuration(HOUR_MS)}, and its budget is ${globalPerHourMax}`,
      };
};

/** The nearest first. */
export const BUDGET_RULES: readonly BudgetRule[] = [
  ...[findCoolDown, findTargetBudget, findRunbookBudget, findGlobalBudget],
];

/** What names no targets is about everything that its runbook does: as of the version before, which kept none. */
export function isAboutSame(run: PastRun, { targets }: Asked): boolean {
  return run.targets.length === 0 || overlap(run.targets, targets);
}

/** Two automations may start one runbook: its budget is one. */
function ofRunbook({ asked: { automation }, past }: Spending): PastRun[] {
  return past.filter(
    (run) =>
      isSpent(run) && (run.runbook === automation.runbook || run.automation === automation.name),
  );
}

/** What is open may still begin, however long ago it was asked for. */
function countLastHour(runs: readonly PastRun[], nowMs: number): number {
  return runs.filter((run) => {
    const spentMs = (run.startedAt ?? run.requestedAt).getTime();
    return isOpen(run) || (isSpent(run) && nowMs - spentMs < HOUR_MS);
  }).length;
}

/** A token is spent by what really began, and held by what still may. */
function isSpent(run: PastRun): boolean {
  return run.startedAt !== null || isOpen(run);
}

export function isOpen({ status }: PastRun): boolean {
  return !isFinal(status);
}

/** Also what a person cancelled: somebody knew better. */
function isFailed({ status, verified }: PastRun): boolean {
  return isFinal(status) && (status !== "succeeded" || verified === false);
}

export function quietSince({ endedAt, startedAt, requestedAt }: PastRun): number {
  return (endedAt ?? startedAt ?? requestedAt).getTime();
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
