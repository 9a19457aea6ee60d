/** Automatic runs of a runbook that were not verified, one after another, open its breaker: a person alone closes it. */
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";

/** Why it is open, in words; null: it is not. */
export async function readBreaker(sql: Sql, runbook: string): Promise<string | null> {
  const { rows } = await sql.query<{ reason: string }>(
    "SELECT reason FROM control.automation_breaker WHERE runbook = $1 AND opened_at IS NOT NULL",
    [runbook],
  );
  return rows[0]?.reason ?? null;
}

/**
 * Opens it when the last `after` automatic runs, since a person last closed it, did not succeed. The reason when it
 * opened in this moment, else null.
 */
export async function settleBreaker(
  tx: Sql,
  runbook: string,
  after: number,
): Promise<string | null> {
  // The audit's chain before the row, as whoever closes it takes them: so nobody waits in a circle, and what
  // failed before it was closed is not counted after.
  await tx.query("SELECT FROM control.audit_head FOR UPDATE");
  const { failures, lastRun } = await countFailures(tx, runbook);
  const isSpent = failures >= after;
  const reason = `because ${failures} runs in a row did not succeed, the last was ${lastRun}`;
  // The first of two that end at once opens it: the second finds it open.
  const { rowCount } = await tx.query(
    `INSERT INTO control.automation_breaker AS breaker (runbook, failures, opened_at, reason)
     VALUES ($1, $2, CASE WHEN $3 THEN now() END, CASE WHEN $3 THEN $4 END)
     ON CONFLICT (runbook) DO UPDATE
       SET failures = excluded.failures, opened_at = excluded.opened_at, reason = excluded.reason
       WHERE breaker.opened_at IS NULL AND (excluded.opened_at IS NOT NULL OR breaker.failures <> excluded.failures)`,
    [runbook, failures, isSpent, reason],
  );
  if (!isSpent || rowCount === 0) return null;
  await appendAudit(tx, {
    actor: "system:promotion",
    action: "automation.breaker-opened",
    target: `runbook:${runbook}`,
    details: { reason, failures },
  });
  return reason;
}

async function countFailures(sql: Sql, runbook: string) {
  const { rows } = await sql.query<{ failures: number; lastRun: string | null }>(
    `WITH own AS (
       SELECT run.id, run.status, run.ended_at, run.deadline_at FROM control.run AS run
       LEFT JOIN control.automation_breaker AS breaker USING (runbook)
       WHERE run.runbook = $1 AND run.automation IS NOT NULL AND NOT run.dry_run AND run.undo_of IS NULL
         AND run.ended_at > coalesce(breaker.closed_at, '-infinity') AND run.status IN ('succeeded', 'failed', 'stalled')
     )
     SELECT count(*)::int AS failures, (array_agg(id ORDER BY ended_at DESC))[1] AS "lastRun"
     FROM own WHERE status <> 'succeeded' AND deadline_at IS NOT NULL
       AND ended_at > coalesce((SELECT max(ended_at) FROM own WHERE status = 'succeeded'), '-infinity')`,
    [runbook],
  );
  return rows[0]!;
}

/** Call it after what it is about has been audited. */
export async function closeBreaker(
  tx: Sql,
  { runbook, by }: { readonly runbook: string; readonly by: string },
): Promise<void> {
  await tx.query(
    `UPDATE control.automation_breaker
     SET failures = 0, opened_at = NULL, reason = NULL, closed_by = $2, closed_at = clock_timestamp()
     WHERE runbook = $1`,
    [runbook, by],
  );
}
