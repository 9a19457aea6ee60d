/**
 * May automation act now? Pure over the automatic runs that the store knows. Every answer has a name, which goes into
 * the audit and to people: what is over a budget is said, never passed over (reference/runbooks-chatops.md 4.4).
 */
import { formatAge, formatDuration, HOUR_MS, MINUTE_MS } from "../base/duration.js";
import type { AutomationGuard, AutomationLimits, PromotionLevel } from "../policy/automation.js";
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

export type GuardReason =
  | "already-handled"
  | "stopped"
  | "own-doing"
  | "nobody-works"
  | "folded"
  | "breaker-open"
  | "not-promoted"
  | "too-many-targets"
  | "cooling-down"
  | "cooling-down-after-failure"
  | "target-budget-spent"
  | "budget-spent"
  | "global-budget-spent"
  | "within-budget";

export interface GuardVerdict {
  readonly go: boolean;
  readonly reason: GuardReason;
  /** For people: what was found, and what was expected. */
  readonly sentence: string;
  /** Folded: the run whose outcome it inherits. */
  readonly leader?: PastRun;
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

/** What holds of the runbook and of everything at this moment. */
export interface Standing {
  readonly level: PromotionLevel;
  /** What the level is called, and what the next one needs. */
  readonly trust: string;
  /** Why its breaker is open; null: it is not. */
  readonly breakerOpen: string | null;
  /** Who stopped everything, and why; null: nobody did. */
  readonly stopped: string | null;
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

interface Case {
  readonly asked: Asked;
  readonly budget: Budget;
  readonly past: readonly PastRun[];
  readonly standing: Standing;
  readonly nowMs: number;
}

type Rule = (given: Case) => Omit<GuardVerdict, "go"> | null;

/** @param past the automatic runs that ended within `memoryOf` the guard, and all that are open; the newest first */
export function judgeAutomation(
  asked: Asked,
  budget: Budget,
  past: readonly PastRun[],
  standing: Standing,
  now: Date,
): GuardVerdict {
  const given: Case = { asked, budget, past, standing, nowMs: now.getTime() };
  for (const rule of RULES) {
    const held = rule(given);
    if (held) return { go: false, ...held };
  }
  const { name, runbook } = asked.automation;
  return { go: true, reason: "within-budget", sentence: `${name} starts ${runbook}` };
}

/**
 * Runs of ours on the way to a cause: what another automation changed just now, on the same targets, is taken for
 * the reason of it. Its own earlier runs are bounded by the cool-down.
 */
export function depthOf(
  { automation, targets }: Pick<Asked, "automation" | "targets">,
  past: readonly PastRun[],
  withinMs: number,
  now: Date,
): number {
  const others = past.filter(
    (run) =>
      run.automation !== automation.name &&
      run.startedAt !== null &&
      overlap(run.targets, targets) &&
      (run.endedAt === null || now.getTime() - run.endedAt.getTime() < withinMs),
  );
  return Math.max(0, ...others.map(({ causeDepth }) => causeDepth + 1));
}

/** An alert fires again and again under one key; an incident is one. */
const findHandled: Rule = ({ asked, past }) => {
  const same = past.find(
    (run) => run.automation === asked.automation.name && run.causeKey === asked.causeKey,
  );
  return same && asked.causeKey.startsWith("incident:")
    ? { reason: "already-handled", sentence: `${same.id} was already started for this cause` }
    : null;
};

const findStopped: Rule = ({ standing: { stopped } }) =>
  stopped === null
    ? null
    : { reason: "stopped", sentence: `nothing is started by itself: ${stopped}` };

const findOwnDoing: Rule = ({ asked, budget: { depthMax } }) => {
  if (asked.byOurselves)
    return { reason: "own-doing", sentence: "the cause is a word of our own about what we did" };
  if (asked.causeDepth + 1 <= depthMax) return null;
  return {
    reason: "own-doing",
    sentence: `${asked.causeDepth} automatic ${asked.causeDepth === 1 ? "run" : "runs"} led to this cause, and at most ${depthMax} may follow one another without a person`,
  };
};

/** Asked for so long ago and not begun: there is no executor, and whoever joins it would wait in silence. */
const STUCK_MS = 5 * MINUTE_MS;

const findStuck: Rule = ({ asked, past, nowMs }) => {
  const stuck = past.find(
    (run) =>
      isOpen(run) &&
      run.startedAt === null &&
      isAboutSame(run, asked) &&
      nowMs - run.requestedAt.getTime() >= STUCK_MS,
  );
  if (!stuck) return null;
  const waits = formatAge(nowMs - stuck.requestedAt.getTime());
  return {
    reason: "nobody-works",
    sentence: `${stuck.id} waits for ${waits} and no executor has begun it: see algobrain doctor`,
  };
};

/** A failed leader is no answer to a new cause: that is held, and a person is told. */
const findLeader: Rule = ({ asked, budget: { foldMs }, past, nowMs }) => {
  const candidates = past.filter(
    (run) => run.automation === asked.automation.name && isAboutSame(run, asked),
  );
  const leader =
    candidates.find(isOpen) ??
    candidates.find(
      (run) => run.status === "succeeded" && Math.max(0, nowMs - quietSince(run)) < foldMs,
    );
  if (!leader) return null;
  const what = isOpen(leader) ? "is at work on the same" : "has just worked on the same";
  return { reason: "folded", leader, sentence: `${leader.id} ${what}: it inherits its outcome` };
};

const findBreaker: Rule = ({ asked, standing: { breakerOpen } }) =>
  breakerOpen === null
    ? null
    : {
        reason: "breaker-open",
        sentence: `${asked.automation.runbook} no longer starts by itself, ${breakerOpen}: look why, then algobrain runbook trust ${asked.automation.runbook} --reset --reason "…"`,
      };

const findUntrusted: Rule = ({ asked, standing: { level, trust } }) =>
  level === "manual"
    ? {
        reason: "not-promoted",
        sentence: `${asked.automation.runbook} is started by people only: ${trust}`,
      }
    : null;

const findTooMany: Rule = ({ asked: { targets }, budget: { targetsMax } }) =>
  targets.length <= targetsMax
    ? null
    : {
        reason: "too-many-targets",
        sentence: `it would touch ${targets.length} targets (${targets.slice(0, 5).join(", ")}), and one run may touch ${targetsMax}`,
      };

const findCoolDown: Rule = (given) => {
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

const findTargetBudget: Rule = ({ asked, budget: { perTargetPerHourMax }, past, nowMs }) => {
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

const findRunbookBudget: Rule = (given) => {
  const { asked, budget, nowMs } = given;
  const spent = countLastHour(ofRunbook(given), nowMs);
  return spent < budget.perHourMax
    ? null
    : {
        reason: "budget-spent",
        sentence: `automation ran ${asked.automation.runbook} ${times(spent)} within ${formatDuration(HOUR_MS)}, and its budget is ${budget.perHourMax}`,
      };
};

const findGlobalBudget: Rule = ({ budget: { globalPerHourMax }, past, nowMs }) => {
  const spent = countLastHour(past, nowMs);
  return spent < globalPerHourMax
    ? null
    : {
        reason: "global-budget-spent",
        sentence: `all automation together ran ${times(spent)} within ${formatDuration(HOUR_MS)}, and its budget is ${globalPerHourMax}`,
      };
};

/** The nearest reason is given. */
const RULES: readonly Rule[] = [
  ...[findHandled, findStopped, findOwnDoing, findStuck, findLeader, findBreaker, findUntrusted],
  ...[findTooMany, findCoolDown, findTargetBudget, findRunbookBudget, findGlobalBudget],
];

/** What names no targets is about everything that its runbook does: as of the version before, which kept none. */
function isAboutSame(run: PastRun, { targets }: Asked): boolean {
  return run.targets.length === 0 || overlap(run.targets, targets);
}

/** Two automations may start one runbook: its budget is one. */
function ofRunbook({ asked: { automation }, past }: Case): PastRun[] {
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

function isOpen({ status }: PastRun): boolean {
  return !isFinal(status);
}

/** Also what a person cancelled: somebody knew better. */
function isFailed({ status, verified }: PastRun): boolean {
  return isFinal(status) && (status !== "succeeded" || verified === false);
}

function quietSince({ endedAt, startedAt, requestedAt }: PastRun): number {
  return (endedAt ?? startedAt ?? requestedAt).getTime();
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
