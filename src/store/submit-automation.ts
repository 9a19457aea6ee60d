/** Automation asks for a run: the guards first, then the same door as everybody. A refusal spends no budget. */
import type { PromotionLevel } from "../policy/automation.js";
import type { Automation, PolicySet } from "../policy/policy.js";
import type { Actor } from "../runbook/authorize.js";
import { type CauseValues, fillParams } from "../runbook/automation.js";
import { type Asked, budgetOf, memoryOf } from "../runbook/budget.js";
import { depthOf, type GuardReason, judgeAutomation, type Standing } from "../runbook/guard.js";
import type { RegisteredRunbook, RunbookRegistry } from "../runbook/registry.js";
import { checkRequest } from "../runbook/request.js";
import { pinOf } from "../runbook/run.js";
import { appendAudit } from "./audit.js";
import { readBreaker } from "./automation-breaker.js";
import { findRunOfCause, lockAutomation, readAutomationHistory } from "./automation-history.js";
import type { Sql } from "./database.js";
import { readTrust, settleTrust, type TrustSubject } from "./promotions.js";
import { readProtection, whyUnguarded } from "./protection.js";
import { followRun } from "./run-followers.js";
import type { RunOrigin } from "./runs.js";
import { readStopped } from "./stop-switch.js";
import { type RunSubmission, type Submitted, submitRunWithin } from "./submit-run.js";

export interface AutomationSubmission extends Omit<RunOrigin, "automation" | "reason"> {
  readonly registry: RunbookRegistry;
  readonly policy: Pick<PolicySet, "access" | "runbooks" | "healing">;
  readonly automation: Automation;
  readonly actor: Actor;
  readonly now: Date;
  /** Where policies are reviewed, `owner/name`; null: nowhere, they are files of this machine. */
  readonly gitopsRepo: string | null;
  /** For placeholders in the automation's parameters. */
  readonly values?: CauseValues | undefined;
  /** The cause is a word of our own about a run or about automation. */
  readonly byOurselves?: boolean | undefined;
}

export type HoldReason = GuardReason | "planned-only" | "unprotected" | "details-missing";

export type AutomationOutcome =
  | Submitted
  /** It joined a run that is at work on the same, or was a moment ago, and inherits its outcome. */
  | { readonly outcome: "folded"; readonly runId: string; readonly sentence: string }
  | {
      readonly outcome: "held";
      readonly reason: HoldReason;
      /** For people: what was found, what was expected, what to do. */
      readonly sentence: string;
    };

/** What is known of a submission before the lock: everything that needs none. */
interface Prepared {
  readonly submission: AutomationSubmission;
  readonly causeKey: string;
  readonly request: RunSubmission;
  readonly entry: RegisteredRunbook;
  readonly targets: readonly string[];
}

/** Call it in a transaction. */
export async function submitAutomation(
  tx: Sql,
  submission: AutomationSubmission,
): Promise<AutomationOutcome> {
  const { automation, policy, registry } = submission;
  if (policy.runbooks[automation.runbook] === "planned")
    return hold(tx, submission, "planned-only", `there is no runbook ${automation.runbook} yet`);
  const filled = fillParams(automation.params, submission.values ?? {});
  if (!filled.ok) return hold(tx, submission, "details-missing", describeMissing(filled.missing));
  const causeKey = causeKeyOf(submission);
  const request = requestOf(submission, causeKey, filled.params);
  const checked = checkRequest(registry, request);
  // The door refuses it in its own words, and spends nothing.
  if (!checked.ok) return submitRunWithin(tx, request);
  const { entry, params } = checked;
  const targets = entry.runbook.locks(params);
  const prepared: Prepared = { submission, causeKey, request, entry, targets };
  return (await findHeld(tx, prepared)) ?? decide(tx, prepared);
}

function causeKeyOf({ causeKey, incidentId, alertLevel }: AutomationSubmission): string {
  return causeKey ?? (incidentId === undefined ? `alert:${alertLevel}` : `incident:${incidentId}`);
}

function requestOf(
  submission: AutomationSubmission,
  causeKey: string,
  params: RunSubmission["params"],
): RunSubmission {
  const { automation, policy } = submission;
  return {
    ...submission,
    access: policy.access,
    runbook: automation.runbook,
    ...{ params, dryRun: false, causeKey },
    automation: automation.name,
    reason: `automation ${automation.name}`,
  };
}

function describeMissing(missing: readonly string[]): string {
  return `the cause does not say what the runbook needs (${missing.join(", ")}): start it by hand, or correct the params in automation.yaml`;
}

async function findHeld(tx: Sql, prepared: Prepared): Promise<AutomationOutcome | null> {
  const { submission, causeKey, entry } = prepared;
  const { automation, gitopsRepo, now } = submission;
  if (causeKey.startsWith("incident:")) {
    const earlier = await findRunOfCause(tx, automation.name, causeKey);
    if (earlier !== null)
      return hold(
        tx,
        submission,
        "already-handled",
        `${earlier} was already started for this cause`,
      );
  }
  // What only reads may always start; what changes anything needs policies that somebody had to approve.
  if (gitopsRepo === null || entry.runbook.danger === "R") return null;
  const unguarded = whyUnguarded(gitopsRepo, await readProtection(tx, gitopsRepo), now);
  return unguarded === null ? null : hold(tx, submission, "unprotected", unguarded);
}

async function decide(tx: Sql, prepared: Prepared): Promise<AutomationOutcome> {
  const { submission, request, causeKey } = prepared;
  const standing = await readStanding(tx, prepared);
  // Joining a run spends nothing and needs no lock: most of a storm ends here.
  const { leader, sentence } = (await judge(tx, prepared, standing)).verdict;
  if (leader) return fold(tx, prepared, leader.id, sentence);
  // After all that is read without it, and before anything is audited: whoever holds the chain waits for no lock.
  await lockAutomation(tx);
  const { verdict, causeDepth } = await judge(tx, prepared, standing);
  if (standing.hasChanged)
    await settleTrust(tx, subjectOf(prepared), submission.policy.healing.automation.promotion);
  if (verdict.leader) return fold(tx, prepared, verdict.leader.id, verdict.sentence);
  if (!verdict.go) return hold(tx, submission, verdict.reason, verdict.sentence);
  const approvalsMin = approvalsAt(standing.level);
  const submitted = await submitRunWithin(tx, { ...request, causeKey, causeDepth, approvalsMin });
  if (submitted.outcome !== "already-running") return submitted;
  const { id } = submitted.run;
  return fold(tx, prepared, id, `${id} does the same at this moment: it inherits its outcome`);
}

async function judge(
  tx: Sql,
  { submission, entry, targets, causeKey }: Prepared,
  standing: Standing,
) {
  const { automation, policy, byOurselves = false } = submission;
  const { guard } = automation;
  const { past, now } = await readAutomationHistory(tx, memoryOf(guard));
  const behind = depthOf({ automation, targets }, past, guard.foldMs, now);
  const causeDepth = Math.max(submission.causeDepth ?? 0, behind);
  const asked: Asked = { automation, targets, causeKey, causeDepth, byOurselves };
  const budget = budgetOf(guard, policy.healing.automation, entry.runbook.targetsMax);
  return { causeDepth, verdict: judgeAutomation(asked, budget, past, standing, now) };
}

/** What only reads need not earn it, and the stop switch does not keep it from looking. */
async function readStanding(
  tx: Sql,
  prepared: Prepared,
): Promise<Standing & { readonly hasChanged: boolean }> {
  const { submission, entry } = prepared;
  const breakerOpen = await readBreaker(tx, submission.automation.runbook);
  if (entry.runbook.danger === "R")
    return { level: "auto", trust: "", breakerOpen, stopped: null, hasChanged: false };
  const rules = submission.policy.healing.automation.promotion;
  const { level, change, reason, missing } = await readTrust(tx, subjectOf(prepared), rules);
  const stopped = await readStopped(tx);
  return {
    ...{ level, breakerOpen, hasChanged: change !== null },
    trust: missing === null ? reason : `${reason}; ${missing}`,
    stopped: stopped && `${stopped.by} stopped it all (${stopped.reason})`,
  };
}

function subjectOf({ submission: { automation }, entry }: Prepared): TrustSubject {
  const grant = automation.trust?.level ?? "manual";
  return { runbook: automation.runbook, pin: pinOf(entry.contentHash), grant };
}

/** How many must agree whatever access.yaml says: what may start by itself, but not alone, asks one person. */
export function approvalsAt(level: PromotionLevel): number {
  return level === "auto" ? 0 : 1;
}

async function fold(
  tx: Sql,
  { submission, causeKey }: Prepared,
  runId: string,
  sentence: string,
): Promise<AutomationOutcome> {
  const { incidentId = null, inboundId = null, actor, automation } = submission;
  await followRun(tx, runId, { causeKey, incidentId, inboundId });
  await appendAudit(tx, {
    actor: actor.name,
    action: "run.folded",
    target: runId,
    details: { automation: automation.name, cause: causeKey, incident_id: incidentId },
  });
  return { outcome: "folded", runId, sentence };
}

async function hold(
  tx: Sql,
  submission: AutomationSubmission,
  reason: HoldReason,
  sentence: string,
): Promise<AutomationOutcome> {
  const { automation, actor, incidentId } = submission;
  await appendAudit(tx, {
    actor: actor.name,
    action: "run.held",
    target: `automation:${automation.name}`,
    details: {
      ...{ reason, sentence, runbook: automation.runbook },
      ...{ cause: causeKeyOf(submission), incident_id: incidentId ?? null },
    },
  });
  return { outcome: "held", reason, sentence };
}
