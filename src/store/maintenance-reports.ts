/** What maintenance did and found: when a thing was last done well is the newest row of its kind. */
import type { JsonObject } from "../base/json.js";
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";

export type ReportKind = "report" | "backup" | "restore-test";

export interface NewReport {
  readonly kind: ReportKind;
  readonly at: Date;
  /** False: it was done, and what it found is bad. */
  readonly ok: boolean;
  readonly facts: JsonObject;
}

export async function addReport(sql: Sql, { kind, at, ok, facts }: NewReport): Promise<void> {
  await sql.query(
    "INSERT INTO control.maintenance_report (kind, at, ok, facts) VALUES ($1, $2, $3, $4)",
    [kind, at, ok, facts],
  );
}

/** When the newest one that went well was made; null: never. */
export function readLastWell(sql: Sql, kind: ReportKind): Promise<Date | null> {
  return ask<Date | null>(sql, {
    name: `maintenance.${kind}`,
    sql: `(SELECT max(at) FROM control.maintenance_report WHERE kind = '${kind}' AND ok)`,
  });
}

/** By table, rows in a backup, as they were counted in its own moment; null: nobody did. */
export async function readBackupRows(
  sql: Sql,
  backup: string,
): Promise<Readonly<Record<string, number>> | null> {
  const { rows } = await sql.query<{ rows: Record<string, number> | null }>(
    `SELECT facts -> 'rows' AS rows FROM control.maintenance_report
     WHERE kind = 'backup' AND ok AND facts ->> 'backup' = $1 ORDER BY id DESC LIMIT 1`,
    [backup],
  );
  const counted = rows[0]?.rows;
  return counted ?? null;
}
