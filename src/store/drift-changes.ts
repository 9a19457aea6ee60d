/** Changes of policies that looks at drift have asked for: they stand among those of people, and no two are mixed up. */
import type { Sql } from "./database.js";

export interface DriftChange {
  readonly key: string;
  readonly path: string;
  readonly value: number;
  readonly status: "asked" | "open" | "closed" | "failed";
  /** Of the pull request; null: it is not known whether there is one. */
  readonly number: number | null;
  readonly url: string | null;
  /** Somebody was about to close it and may not have come to that. */
  readonly isWithdrawn: boolean;
}

/** More are not read: what a look may have open is far below. */
const ROWS_MAX = 500;

/**
 * Those that somebody still waits for, and those that people have closed while what differs is the same. One that was
 * withdrawn is neither: it says in `error` why. Oldest first.
 */
export async function listDriftChanges(sql: Sql, environment: string): Promise<DriftChange[]> {
  const { rows } = await sql.query<DriftChange>(
    `SELECT key, path, (value ->> path)::float8 AS value, status, number, url,
       error IS NOT NULL AND status = 'open' AS "isWithdrawn" FROM control.config_change
     WHERE environment = $1 AND requested_by LIKE 'drift:%' AND jsonb_typeof(value -> path) = 'number'
       AND (status IN ('asked', 'open', 'failed') OR status = 'closed' AND error IS NULL)
     ORDER BY created_at, key LIMIT $2`,
    [environment, ROWS_MAX],
  );
  return rows;
}

/** How many were asked for within this time. */
export async function countDriftChanges(
  sql: Sql,
  environment: string,
  withinMs: number,
): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM control.config_change
     WHERE environment = $1 AND requested_by LIKE 'drift:%' AND created_at > now() - $2 * interval '1 ms'`,
    [environment, withinMs],
  );
  return rows[0]?.count ?? 0;
}

/**
 * One that has no open pull request, or none any more: the look that asked for it asks no longer, so it is not refused by
 * people either. False: it is open, or merged.
 */
export async function withdrawDriftChange(sql: Sql, key: string, why: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE control.config_change SET status = 'closed', error = $2, updated_at = now()
     WHERE key = $1 AND requested_by LIKE 'drift:%' AND status IN ('asked', 'failed', 'closed')`,
    [key, why],
  );
  return rowCount > 0;
}

/** Before its pull request is closed: from here on it is not taken for refused by people, whoever closes it in the end. */
export async function markDriftChange(sql: Sql, key: string, why: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE control.config_change SET error = $2, updated_at = now()
     WHERE key = $1 AND requested_by LIKE 'drift:%' AND status = 'open'`,
    [key, why],
  );
  return rowCount > 0;
}

/** When the last look that was told was made, by the audit; null: none was. */
export async function lastDriftLook(sql: Sql, environment: string): Promise<Date | null> {
  const { rows } = await sql.query<{ lookedAt: string | null }>(
    `SELECT details ->> 'looked_at' AS "lookedAt" FROM public.audit_log
     WHERE target = $1 AND action = $2 ORDER BY created_at DESC, seq DESC LIMIT 1`,
    [driftTarget(environment), DRIFT_TOLD],
  );
  const text = rows[0]?.lookedAt ?? null;
  return text === null ? null : new Date(text);
}

/** Of audit rows. */
export const DRIFT_TOLD = "drift.told";

export function driftTarget(environment: string): string {
  return `drift:${environment}`;
}
