/**
 * Whether a plan that puts drift back may be applied: each of its changes must be a way back of the class `heal` that
 * nobody stands for, within the budgets. There is no middle: whatever else is in it stops all of it.
 */
import type { PlanReview } from "../../policy/plan-review.js";
import { type DriftEntry, judgeDrift } from "./drift.js";
import { judgePlan } from "./judge-plan.js";
import type { KnownDrift } from "./known-drift.js";
import { existingOf, type PlanDocument } from "./plan-document.js";
import type { PlanFinding, Verdict } from "./verdict.js";

export interface HealGround {
  readonly environment: string;
  readonly review: PlanReview;
  /** What somebody stands for at this moment. */
  readonly known: readonly KnownDrift[];
  readonly now: Date;
}

/** @param plan of some addresses alone (`-target`), which Terraform calls incomplete. `ok` or `stop`, never `ask` */
export function judgeHeal(plan: PlanDocument, ground: HealGround): Verdict {
  const { environment, review, known, now } = ground;
  const part = { ...plan, complete: true };
  const report = judgeDrift(part, Object.values(review.drift.classes), known, now);
  if (report.state === "failed") return stopped([say("heal-failed", report.why)]);
  const { unknown, expired, known: held } = report;
  const found = [
    ...[...held, ...expired].map((entry) => say("heal-known", "somebody stands for it", entry)),
    ...unknown.flatMap(refusalOf),
    ...(unknown.length > review.drift.heals
      ? [say("heal-most", `${unknown.length} are put back, and the most is ${review.drift.heals}`)]
      : []),
    ...(plan.outputsChanged.length > 0
      ? [say("heal-outputs", "outputs change, which other stacks read")]
      : []),
  ];
  // Without exceptions: those were given for another change.
  const judged = judgePlan(part, review.budgets, [], {
    ...{ environment, now, existing: existingOf(plan) },
  });
  if (judged.state === "stop") found.push(...judged.findings);
  return found.length > 0 ? stopped(found) : { state: "ok", findings: [] };
}

function refusalOf(entry: DriftEntry): PlanFinding[] {
  if (entry.mode !== "heal") return [say("heal-class", `its class is ${entry.mode}`, entry)];
  return entry.unhealed === null ? [] : [say("heal-way-back", entry.unhealed, entry)];
}

function say(rule: string, text: string, entry?: DriftEntry): PlanFinding {
  const addresses = entry === undefined ? [] : [entry.address];
  return {
    ...{ rule, addresses, excepted: null },
    text: entry === undefined ? text : `${entry.address}: ${text}`,
  };
}

function stopped(findings: readonly PlanFinding[]): Verdict {
  return { state: "stop", findings };
}
