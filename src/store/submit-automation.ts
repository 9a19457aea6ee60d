/** Automation asks for a run: the guards first, then the same door as everybody. A refusal spends no budget. */
import type { Automation, PolicySet } from "../policy/policy.js";
import type { Actor } from "../runbook/authorize.js";
import { type GuardReason, judgeAutomation } from "../runbook/guard.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { readProtection, whyUnguarded } from "./protection.js";
import { type RunOrigin, readAutomationHistory, stallAbandonedRuns } from "./runs.js";
import { type Submitted, submitRunWithin } from "./submit-run.js";

export interface AutomationSubmission extends Omit<RunOrigin, "automation" | "reason"> {
  readonly registry: RunbookRegistry;
  readonly policy: Pick<PolicySet, "access" | "runbooks">;
  readonly automation: Automation;
  readonly actor: Actor;
  readonly now: Date;
  /** Where policies are reviewed, `owner/name`; null: nowhere, they are files of this machine. */
  readonly gitopsRepo: string | null;
}

type HoldReason = GuardReason | "planned-only" | "unprotected";

export type AutomationOutcome =
  | Submitted
  | {
      readonly outcome: "held";
      readonly reason: HoldReason;
      readonly sentence: string;
    };

/** Call it in a transaction. */
export async function submitAutomation(
  tx: Sql,
  submission: AutomationSubmission,
): Promise<AutomationOutcome> {
  const { automation, policy, incidentId } = submission;
  await stallAbandonedRuns(tx);
  const history = await readAutomationHistory(tx, automation.name, incidentId ?? null);
  const verdict = judgeAutomation(automation, history, submission.now);
  if (!verdict.go) return hold(tx, submission, verdict.reason, verdict.sentence);
  if (policy.runbooks[automation.runbook] === "planned")
    return hold(tx, submission, "planned-only", `there is no runbook ${automation.runbook} yet`);
  const unguarded = await findUnguarded(tx, submission);
  if (unguarded !== null) return hold(tx, submission, "unprotected", unguarded);
  return submitRunWithin(tx, {
    ...submission,
    access: policy.access,
    runbook: automation.runbook,
    params: automation.params,
    dryRun: false,
    automation: automation.name,
    reason: `automation ${automation.name}`,
  });
}

/** What only reads may always start; what changes anything needs policies that somebody had to approve. */
async function findUnguarded(
  tx: Sql,
  { automation, registry, gitopsRepo, now }: AutomationSubmission,
): Promise<string | null> {
  const danger = registry.find(automation.runbook)?.runbook.danger;
  if (gitopsRepo === null || danger === "R") return null;
  return whyUnguarded(gitopsRepo, await readProtection(tx, gitopsRepo), now);
}

async function hold(
  tx: Sql,
  { automation, actor, incidentId }: AutomationSubmission,
  reason: HoldReason,
  sentence: string,
): Promise<AutomationOutcome> {
  await appendAudit(tx, {
    actor: actor.name,
    action: "run.held",
    target: `automation:${automation.name}`,
    details: { reason, sentence, runbook: automation.runbook, incident_id: incidentId ?? null },
  });
  return { outcome: "held", reason, sentence };
}
