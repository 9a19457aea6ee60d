/**
 * May automation act now? Pure over the automatic runs that the store knows. Every answer has a name, which goes into
 * the audit and to people: what is over a budget is said, never passed over (runbooks-chatops.md 4.4).
 */
import { formatAge, MINUTE_MS } from "../base/duration.js";
import type { PromotionLevel } from "../policy/automation.js";
import {
  type Asked,
  BUDGET_RULES,
  type Budget,
  type BudgetReason,
  isAboutSame,
  isOpen,
  type PastRun,
  quietSince,
  type Spending,
} from "./budget.js";
import { overlap } from "./target.js";

export type GuardReason =
  | "already-handled"
  | "stopped"
  | "own-doing"
  | "nobody-works"
  | "folded"
  | "breaker-open"
  | "not-promoted"
  | "too-many-targets"
  | BudgetReason
  | "within-budget";

export interface GuardVerdict {
  readonly go: boolean;
  readonly reason: GuardReason;
  /** For people: what was found, and what was expected. */
  readonly sentence: string;
  /** Folded: the run whose outcome it inherits. */
  readonly leader?: PastRun;
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

interface Case extends Spending {
  readonly standing: Standing;
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

/** The nearest reason is given. */
const RULES: readonly Rule[] = [
  ...[findHandled, findStopped, findOwnDoing, findStuck, findLeader, findBreaker, findUntrusted],
  ...[findTooMany, ...BUDGET_RULES],
];
