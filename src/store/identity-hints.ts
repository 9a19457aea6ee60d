/** Pairs of identities that may be one person, kept for a person to decide. */
import type { Sql } from "./database.js";

export interface Hint {
  /** The smaller of the two ids. */
  readonly a: string;
  readonly b: string;
  readonly score: number;
  readonly evidence: readonly string[];
}

/** More is a flood that nobody reads. */
export const HINTS_MAX = 5_000;

/** Adds or corrects these, as long as there is room. The same again changes nothing. */
export async function putHints(tx: Sql, hints: readonly Hint[]): Promise<void> {
  if (hints.length === 0) return;
  await tx.query(
    `INSERT INTO control.identity_hint AS h (a, b, score, evidence)
     SELECT a, b, score, evidence
     FROM jsonb_to_recordset($1::jsonb) AS n(a text, b text, score real, evidence jsonb)
     ORDER BY score DESC, a, b
     LIMIT greatest(0, ${HINTS_MAX} - (SELECT count(*) FROM control.identity_hint))
     ON CONFLICT (a, b) DO UPDATE SET score = excluded.score, evidence = excluded.evidence, at = now()
     WHERE (h.score, h.evidence) IS DISTINCT FROM (excluded.score, excluded.evidence)`,
    [JSON.stringify(hints)],
  );
}

/** Drops hints about these identities that are settled: one of the two now stands behind another. */
export async function dropSettledHints(tx: Sql, ids: readonly string[]): Promise<void> {
  await tx.query(
    `DELETE FROM control.identity_hint h WHERE (h.a = ANY ($1) OR h.b = ANY ($1)) AND EXISTS (
       SELECT FROM identities i WHERE i.id IN (h.a, h.b) AND i.merged_into IS NOT NULL)`,
    [ids],
  );
}
