/** The stop switch as a row: what all machines share. The file of a machine works without it (runtime/stop-file). */
import type { Stopped } from "../runbook/stop.js";
import type { Sql } from "./database.js";

export interface StopRow {
  readonly active: boolean;
  readonly reason: string | null;
  readonly by: string | null;
  /** Of its last change, by the database's clock; null: never touched. */
  readonly at: Date | null;
}

const COLUMNS = "active, reason, by, at";

export async function readStopRow(sql: Sql): Promise<StopRow> {
  const { rows } = await sql.query<StopRow>(`SELECT ${COLUMNS} FROM control.stop_switch`);
  return rows[0]!;
}

/** Null: off. */
export async function readStopped(sql: Sql): Promise<Stopped | null> {
  const row = await readStopRow(sql);
  return row.active ? stoppedBy(row) : null;
}

/** What an active row says. */
export function stoppedBy({ by, reason, at }: StopRow): Stopped {
  return {
    by: by ?? "somebody",
    reason: reason ?? "no reason given",
    at: (at ?? new Date(0)).toISOString(),
    from: "database",
  };
}

/** The row afterwards: the first order stands, and only what changes is audited. */
export async function setStopRow(
  sql: Sql,
  order: { readonly by: string; readonly reason: string },
): Promise<StopRow> {
  await sql.query(
    `WITH changed AS (
       UPDATE control.stop_switch SET active = true, by = $1, reason = $2, at = clock_timestamp()
       WHERE NOT active RETURNING reason
     )
     SELECT control.audit_append($1, 'runs.stopped', 'stop-switch', jsonb_build_object('reason', reason)) FROM changed`,
    [order.by, order.reason],
  );
  return readStopRow(sql);
}

/** False when it was off. Its time moves all the same: a file that was written before is older than this order. */
export async function clearStopRow(
  sql: Sql,
  order: { readonly by: string; readonly reason: string },
): Promise<boolean> {
  const { rows } = await sql.query<{ wasActive: boolean }>(
    `WITH before AS (
       SELECT active, by, reason FROM control.stop_switch FOR UPDATE
     ), changed AS (
       UPDATE control.stop_switch s SET active = false, by = $1, reason = $2, at = clock_timestamp()
       FROM before RETURNING before.active AS was_active, before.by AS stopped_by, before.reason AS stopped_because
     )
     SELECT was_active AS "wasActive", CASE WHEN was_active THEN control.audit_append($1, 'runs.resumed', 'stop-switch',
       jsonb_build_object('reason', $2::text, 'stopped_by', stopped_by, 'stopped_because', stopped_because)) END
     FROM changed`,
    [order.by, order.reason],
  );
  return rows[0]!.wasActive;
}
