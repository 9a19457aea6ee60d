/** Automation asks for a run: the guards first, then the same door as everybody. A refusal spends no budget. */
import type { Automation, PolicySet } from "../policy/policy.js";
import type { Actor } from "../runbook/authorize.js";
import { type GuardReason, judgeAutomation } from "../runbook/guard.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";
import { type RunOrigin, readAutomationHistory, stallAbandonedRuns } from "./runs.js";
import { type Submitted, submitRunWithin } from "./submit-run.js";

export interface AutomationSubmission extends Omit<RunOrigin, "automation" | "reason"> {
  readonly registry: RunbookRegistry;
  readonly policy: Pick<PolicySet, "access" | "runbooks">;
  readonly automation: Automation;
  readonly actor: Actor;
  readonly now: Date;
}

export type AutomationOutcome =
  | Submitted
  | {
      readonly outcome: "held";
      readonly reason: GuardReason | "planned-only";
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

async function hold(
  tx: Sql,
  { automation, actor, incidentId }: AutomationSubmission,
  reason: GuardReason | "planned-only",
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
