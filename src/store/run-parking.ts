/** A run that is put aside until people agreed. While it waits it holds nothing: no executor, no target, no job. */
import type { ApprovalRule } from "../runbook/authorize.js";
import type { Run } from "../runbook/run.js";
import { type AskedApproval, openApproval } from "./approval-requests.js";
import type { Sql } from "./database.js";

/**
 * Its executor puts it aside and people are asked, in the caller's transaction; null when the run was no longer its
 * own. The time it waits is not time it worked: its deadline begins when it goes on.
 */
export async function parkRun(
  tx: Sql,
  run: Run,
  asked: { readonly rule: ApprovalRule; readonly boundHash: string },
): Promise<AskedApproval | null> {
  await tx.query("SELECT FROM control.run WHERE seq = $1 FOR UPDATE", [run.seq]);
  const { rowCount } = await tx.query(
    `UPDATE control.run SET status = 'queued', waiting_for = 'approval', job_seq = NULL, bound_hash = $3,
       lease_until = NULL, executor = NULL, started_at = NULL, deadline_at = NULL
     WHERE seq = $1 AND fence = $2 AND status = 'running'`,
    [run.seq, run.fence, asked.boundHash],
  );
  if (rowCount === 0) return null;
  await tx.query("DELETE FROM control.target_lock WHERE run_seq = $1", [run.seq]);
  return openApproval(tx, run, asked);
}
