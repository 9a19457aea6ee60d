/**
 * What the end of a run says of its runbook: trust earned or lost, a breaker that opens. In the transaction that ends
 * the run. What ends a run elsewhere (its lease, a person) is found when the runbook is next asked for.
 */
import type { PolicySet } from "../policy/policy.js";
import { breakerKey, breakerOpened } from "../runbook/breaker-page.js";
import type { Run } from "../runbook/run.js";
import { settleBreaker } from "../store/automation-breaker.js";
import type { Sql } from "../store/database.js";
import { settleTrust } from "../store/promotions.js";
import { subjectOf } from "../store/trust-list.js";
import type { RuntimeNotify } from "./runtime-word.js";

export interface AfterRunDeps {
  readonly policy: () => Pick<PolicySet, "automation" | "healing">;
  readonly notify: RuntimeNotify;
}

/** Call it when the run's end stands in the transaction. */
export type AfterRun = (
  tx: Sql,
  run: Pick<Run, "id" | "runbook" | "contentHash" | "automation" | "dryRun" | "isDrill" | "undoOf">,
) => Promise<void>;

export function createAfterRun({ policy, notify }: AfterRunDeps): AfterRun {
  return async (tx, run) => {
    if (run.undoOf !== null || (run.dryRun && !run.isDrill)) return;
    const { automation, healing } = policy();
    const { promotion, breakerAfter } = healing.automation;
    const subject = subjectOf(run.runbook, run.contentHash, automation);
    const { change, level, reason } = await settleTrust(tx, subject, promotion);
    if (change === "lost") await notify(tx, wordOfLost(run, level, reason));
    if (run.automation === null) return;
    const opened = await settleBreaker(tx, run.runbook, breakerAfter);
    if (opened !== null) await notify(tx, wordOfBreaker(run, opened));
  };
}

type Ended = Pick<Run, "id" | "runbook">;

function wordOfLost({ id, runbook }: Ended, level: string, reason: string) {
  const follows =
    level === "approve"
      ? "Automation may still start it, and asks a person to agree first."
      : "Only people start it now.";
  return {
    audience: "operator",
    severity: "sev3",
    key: `automation/${runbook}/trust`,
    place: id,
    message: {
      tone: "warning",
      title: `${runbook} is trusted less: ${reason}`,
      text: `${follows} Look at ${id}; algobrain runbook trust ${runbook} says what it needs to earn it again.`,
    },
    details: { runbook, run_id: id, level },
  } as const;
}

function wordOfBreaker({ id, runbook }: Ended, reason: string) {
  return {
    audience: "critical",
    severity: "sev2",
    key: breakerKey(runbook),
    place: id,
    message: breakerOpened(runbook, reason),
    details: { runbook, run_id: id, reason },
  } as const;
}
