/**
 * audit: recomputes the hash chain of the audit log and checks what must be true of the data. What is not true is
 * noted as a finding until it is again, told once, and is the job's result, for a repair to act on. A broken chain is
 * critical: somebody changed what nobody may change, and nothing that happens afterwards can be trusted to be on
 * record.
 */
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobHandler } from "../../job/port.js";
import { verifyAudit } from "../../store/audit.js";
import { recordFindings } from "../../store/audit-findings.js";
import type { Database, Sql } from "../../store/database.js";
import {
  type BrokenInvariant,
  findBrokenInvariants,
  invariantNames,
} from "../../store/invariants.js";
import type { RuntimeNotify, RuntimeWord } from "../runtime-word.js";

export interface AuditDeps {
  readonly db: Database;
  /** Words to the operator. */
  readonly tell: RuntimeNotify;
}

export function createAuditHandler(deps: AuditDeps): JobHandler {
  return {
    kind: "audit",
    run: async ({ job, log, now }): Promise<JsonObject> => {
      const entries = await requireWholeChain(deps.db);
      const at = now();
      const broken = await findBrokenInvariants(deps.db);
      for (const { invariant, count } of broken) log.warn("invariant.broken", { invariant, count });
      const changes = await deps.db.transaction(async (tx) => {
        const { opened, resolved } = await recordFindings(tx, broken, at);
        for (const finding of opened) await deps.tell(tx, wordOfOpened(finding, job.id));
        for (const name of resolved) await deps.tell(tx, wordOfResolved(name, job.id));
        return { opened: opened.map(({ invariant }) => invariant), resolved: [...resolved] };
      });
      return {
        audit_entries: entries,
        invariants_checked: invariantNames().length,
        findings: broken.map(({ examples, ...finding }) => ({
          ...finding,
          examples: [...examples],
        })),
        ...changes,
      };
    },
  };
}

/** Returns the number of entries. */
async function requireWholeChain(sql: Sql): Promise<number> {
  const chain = await verifyAudit(sql);
  if (chain.ok) return chain.entries;
  throw fault.critical(
    "AUDIT_CHAIN_BROKEN",
    `the audit log does not fit its hashes from entry ${chain.brokenAt} on`,
    {
      hint: "keep the database as it is, restore a backup beside it, and compare from that entry on",
      details: { broken_at: chain.brokenAt, entries: chain.entries },
    },
  );
}

function wordOfOpened({ invariant, count, examples }: BrokenInvariant, jobId: string): RuntimeWord {
  return {
    ...wordOf(invariant, jobId),
    message: {
      tone: "warning",
      title: `The data breaks ${invariant}: ${count} rows`,
      text: `For example ${examples.join(", ")}. docs/workers/audit.md says what heals it.`,
    },
    details: { invariant, count, job_id: jobId },
  };
}

function wordOfResolved(invariant: string, jobId: string): RuntimeWord {
  return {
    ...wordOf(invariant, jobId),
    action: "resolve",
    message: {
      tone: "good",
      title: `The data holds ${invariant} again`,
      text: "The newest audit found no row that breaks it.",
    },
    details: { invariant, job_id: jobId },
  };
}

function wordOf(invariant: string, place: string) {
  const key = `audit-finding/${invariant}`;
  return { audience: "operator", severity: "sev3", key, place } as const;
}
