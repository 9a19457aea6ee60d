/**
 * May automation act now? Bounded by cool-down, budget and one run at a time. Pure over what the store
 * counted; the answer has a name, which goes into the audit and the incident's note.
 */
import { formatAge, formatDuration, HOUR_MS } from "../base/duration.js";
import type { Automation } from "../policy/policy.js";

/** Runs that really began count; what was refused spends nothing. */
export interface AutomationHistory {
  /** Run that this automation already made for the same incident or alert, if any. */
  readonly forSameCause: string | null;
  /** Its run that is queued or running, if any. */
  readonly openRun: string | null;
  readonly lastRequestedAt: Date | null;
  readonly requestedLastHour: number;
}

export type GuardReason =
  | "already-handled"
  | "already-running"
  | "cooling-down"
  | "budget-spent"
  | "within-budget";

export interface GuardVerdict {
  readonly go: boolean;
  readonly reason: GuardReason;
  readonly sentence: string;
}

export function judgeAutomation(
  automation: Pick<Automation, "name" | "runbook" | "guard">,
  history: AutomationHistory,
  now: Date,
): GuardVerdict {
  const { cooldownMs, perHourMax } = automation.guard;
  if (history.forSameCause !== null)
    return hold("already-handled", `${history.forSameCause} was already started for this cause`);
  if (history.openRun !== null)
    return hold("already-running", `${history.openRun} is still at work on it`);
  const quietMs =
    history.lastRequestedAt === null
      ? Number.POSITIVE_INFINITY
      : now.getTime() - history.lastRequestedAt.getTime();
  if (quietMs < cooldownMs)
    return hold(
      "cooling-down",
      `its last run began ${formatAge(quietMs)} ago, and it may run once in ${formatDuration(cooldownMs)}`,
    );
  if (history.requestedLastHour >= perHourMax)
    return hold(
      "budget-spent",
      `it ran ${history.requestedLastHour} times within ${formatDuration(HOUR_MS)}, and its budget is ${perHourMax}`,
    );
  return {
    go: true,
    reason: "within-budget",
    sentence: `${automation.name} starts ${automation.runbook}`,
  };
}

function hold(reason: GuardReason, sentence: string): GuardVerdict {
  return { go: false, reason, sentence };
}
