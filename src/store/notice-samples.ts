/** How telling people goes, for samples (AM-alr-04, AM-cfg-05). */
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";

/** Alerts that began or got worse within the window. */
export function countFiredAlerts(sql: Sql, windowMs: number): Promise<number> {
  const ms = Math.trunc(windowMs);
  return ask<number>(sql, {
    name: `alerts.fired.${ms}`,
    sql: `(SELECT count(*)::int FROM control.alert_event
      WHERE at > now() - interval '${ms} ms' AND transition IN ('fired', 'upgraded'))`,
  });
}

/** Since a moment of the caller's clock. */
export async function countFiredSince(sql: Sql, since: Date): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM control.alert_event
     WHERE at > $1 AND transition IN ('fired', 'upgraded')`,
    [since],
  );
  return rows[0]!.count;
}

export interface FailingNotices {
  readonly receiver: string;
  readonly count: number;
}

/**
 * Notices that were tried `triesMin` times and are still to be said, and those of the window that died; receivers
 * without any are left out. One that nobody could carry for a day, because its receiver is not configured, has
 * failed nobody: it is older than any window when it dies.
 */
export async function countFailingNotices(
  sql: Sql,
  { triesMin, windowMs }: { readonly triesMin: number; readonly windowMs: number },
): Promise<FailingNotices[]> {
  const { rows } = await sql.query<FailingNotices>(
    `SELECT receiver, count(*)::int AS count FROM control.notice
     WHERE status <> 'sent' -- as its index says
       AND (status = 'pending' AND attempts >= $1
         OR status = 'dead' AND created_at > now() - $2 * interval '1 ms')
     GROUP BY receiver ORDER BY receiver`,
    [triesMin, windowMs],
  );
  return rows;
}
