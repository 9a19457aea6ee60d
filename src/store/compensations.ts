/** How a handler's acts are undone, declared before each act, so that it survives a crash (HB-heal-04). */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

export interface Compensation {
  readonly jobSeq: number;
  /** 1 for the first that was declared. */
  readonly ordinal: number;
  readonly name: string;
  readonly input: JsonObject;
}

/** Returns its ordinal. One handler at a time declares for a job. */
export async function declareCompensation(
  sql: Sql,
  declared: { readonly jobSeq: number; readonly name: string; readonly input: JsonObject },
): Promise<number> {
  const { rows } = await sql.query<{ ordinal: number }>(
    `INSERT INTO control.compensation (job_seq, ordinal, name, input)
     SELECT $1, coalesce(max(ordinal), 0) + 1, $2, $3 FROM control.compensation WHERE job_seq = $1
     RETURNING ordinal`,
    [declared.jobSeq, declared.name, JSON.stringify(declared.input)],
  );
  return rows[0]!.ordinal;
}

/** Those not yet done, in the order in which they are to be run: last declared first. */
export async function listCompensations(sql: Sql, jobSeq: number): Promise<Compensation[]> {
  const { rows } = await sql.query<Compensation>(
    `SELECT job_seq AS "jobSeq", ordinal, name, input FROM control.compensation
     WHERE job_seq = $1 AND done_at IS NULL ORDER BY ordinal DESC`,
    [jobSeq],
  );
  return rows;
}
