/**
 * audit: recomputes the hash chain of the audit log and checks what must be true of the data. Findings in
 * the data are the job's result, for a repair to act on. A broken chain is critical: somebody changed what
 * nobody may change, and nothing that happens afterwards can be trusted to be on record.
 */
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobHandler } from "../../job/port.js";
import { verifyAudit } from "../../store/audit.js";
import type { Database } from "../../store/database.js";
import { findBrokenInvariants, invariantNames } from "../../store/invariants.js";

export function createAuditHandler(deps: { readonly db: Database }): JobHandler {
  return {
    kind: "audit",
    run: async ({ log }): Promise<JsonObject> => {
      const chain = await verifyAudit(deps.db);
      if (!chain.ok)
        throw fault.critical(
          "AUDIT_CHAIN_BROKEN",
          `the audit log does not fit its hashes from entry ${chain.brokenAt} on`,
          {
            hint: "keep the database as it is, restore a backup beside it, and compare from that entry on",
            details: { broken_at: chain.brokenAt, entries: chain.entries },
          },
        );
      const findings = await findBrokenInvariants(deps.db);
      for (const { invariant, count } of findings)
        log.warn("invariant.broken", { invariant, count });
      return {
        audit_entries: chain.entries,
        invariants_checked: invariantNames().length,
        findings: findings.map(({ invariant, count, examples }) => ({
          invariant,
          count,
          examples: [...examples],
        })),
      };
    },
  };
}
