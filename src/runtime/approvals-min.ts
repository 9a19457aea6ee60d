/** How many must agree to an automatic run whatever access.yaml says: what its runbook has not earned yet. */
import type { PolicySet } from "../policy/policy.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import type { Run } from "../runbook/run.js";
import type { Sql } from "../store/database.js";
import { readTrust } from "../store/promotions.js";
import { approvalsAt } from "../store/submit-automation.js";

export interface ApprovalsMinDeps {
  readonly db: Sql;
  readonly policy: () => Pick<PolicySet, "automation" | "healing">;
  readonly registry: RunbookRegistry;
}

/** Asked again before the run acts: what was lost or taken away meanwhile counts. */
export function createApprovalsMin({ db, policy, registry }: ApprovalsMinDeps) {
  return async (run: Pick<Run, "automation" | "runbook" | "contentHash">): Promise<number> => {
    if (run.automation === null || registry.find(run.runbook)?.runbook.danger === "R") return 0;
    const { automation, healing } = policy();
    const own = automation.find(({ name }) => name === run.automation);
    const grant = own?.runbook === run.runbook ? (own.trust?.level ?? "manual") : "manual";
    const subject = { runbook: run.runbook, pin: run.contentHash, grant };
    return approvalsAt((await readTrust(db, subject, healing.automation.promotion)).level);
  };
}
