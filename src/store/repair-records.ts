/** What repairs took away, so that it can be put back: rows as they were, up to 1,000 in one record. */
import type { Sql } from "./database.js";

/** `rows`: how many are in it. */
export interface RepairRecord {
  readonly id: number;
  readonly rows: number;
  readonly undone: boolean;
}

/** In the order in which they were taken away. Empty: the job took away nothing, or its records have expired. */
export async function listRepairRecords(
  sql: Sql,
  jobSeq: number,
  kind: string,
): Promise<RepairRecord[]> {
  const { rows } = await sql.query<RepairRecord>(
    `SELECT id, jsonb_array_length(rows) AS rows, undone_at IS NOT NULL AS undone
     FROM control.repair_record WHERE job_seq = $1 AND kind = $2 ORDER BY id`,
    [jobSeq, kind],
  );
  return rows;
}

/**
 * Puts the claims of one record back under their own ids, once: a repeat does nothing. A claim that was written anew
 * meanwhile stays as it is. Returns how many came back.
 */
export async function restoreClaims(tx: Sql, recordId: number): Promise<number> {
  const { rowCount } = await tx.query(
    `WITH undone AS (
       UPDATE control.repair_record SET undone_at = now() WHERE id = $1 AND undone_at IS NULL RETURNING rows
     )
     INSERT INTO claims OVERRIDING SYSTEM VALUE
     SELECT c.* FROM undone, jsonb_populate_recordset(NULL::claims, undone.rows) AS c
     -- Of somebody who was forgotten meanwhile only "(forgotten)" is left there.
     WHERE c.id IS NOT NULL
     ON CONFLICT DO NOTHING`,
    [recordId],
  );
  return rowCount;
}
