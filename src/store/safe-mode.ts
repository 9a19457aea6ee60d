/** Safe mode: entered by a critical failure or a person, left only by a person (HB-heal-05, -06, X-13). */
import type { Sql } from "./database.js";

export interface SafeMode {
  readonly active: boolean;
  readonly reason: string | null;
  readonly enteredBy: string | null;
  readonly enteredAt: Date | null;
}

export async function readSafeMode(sql: Sql): Promise<SafeMode> {
  const { rows } = await sql.query<SafeMode>(
    `SELECT active, reason, entered_by AS "enteredBy", entered_at AS "enteredAt" FROM control.safe_mode`,
  );
  return rows[0]!;
}

/** False when it was on already: the first reason stands. */
export async function enterSafeMode(
  sql: Sql,
  request: { readonly reason: string; readonly by: string },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `WITH changed AS (
       UPDATE control.safe_mode SET active = true, reason = $1, entered_by = $2, entered_at = now()
       WHERE NOT active RETURNING reason
     )
     SELECT control.audit_append($2, 'safe-mode.entered', 'safe-mode', jsonb_build_object('reason', reason)) FROM changed`,
    [request.reason, request.by],
  );
  return rowCount === 1;
}

export interface SafeModeExit {
  readonly by: string;
  /** What makes this person sure. */
  readonly reason: string;
  /** Names of the checks that failed and were overruled. */
  readonly overruled?: readonly string[];
}

/** False when it was off already. Whether it may be left is the caller's decision. */
export async function exitSafeMode(sql: Sql, request: SafeModeExit): Promise<boolean> {
  const { rowCount } = await sql.query(
    `WITH before AS (
       SELECT reason, entered_by, entered_at FROM control.safe_mode WHERE active FOR UPDATE
     ), changed AS (
       UPDATE control.safe_mode s SET active = false, reason = NULL, entered_by = NULL, entered_at = NULL
       FROM before WHERE s.active RETURNING to_jsonb(before) AS was
     )
     SELECT control.audit_append($1, 'safe-mode.left', 'safe-mode',
       was || jsonb_build_object('left_because', $2::text, 'overruled', $3::jsonb)) FROM changed`,
    [request.by, request.reason, JSON.stringify(request.overruled ?? [])],
  );
  return rowCount === 1;
}
