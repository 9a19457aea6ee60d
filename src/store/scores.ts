/** Rows of `scores`: one a repository, commit, formula and day. */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

export interface NewScore {
  readonly repoId: string;
  readonly score: number;
  readonly formula: string;
  readonly commit: string;
  /** yyyy-mm-dd: the day the score speaks of. */
  readonly asOf: string;
  readonly parts: JsonObject;
  /** When it counts as computed: now, or the day itself for a score of the past (HB-sql-14 reads it). */
  readonly computedAt: Date;
}

/** Keeps one row for the same repository, commit, formula and day: computing it again refreshes the time. */
export async function putScore(sql: Sql, score: NewScore): Promise<void> {
  await sql.query(
    `INSERT INTO scores (repo_id, score, formula, commit, parts, computed_at)
     VALUES ($1, $2, $3, $4, $5::jsonb, $6)
     ON CONFLICT (repo_id, formula, commit, (parts ->> 'asOf')) WHERE formula IS NOT NULL
     DO UPDATE SET score = excluded.score, parts = excluded.parts, computed_at = excluded.computed_at`,
    [
      score.repoId,
      score.score,
      score.formula,
      score.commit,
      JSON.stringify({ asOf: score.asOf, ...score.parts }),
      score.computedAt,
    ],
  );
}

/** Days (yyyy-mm-dd) of a range that already have a score by this formula, as `repoId day`. */
export async function listScoredDays(
  sql: Sql,
  range: { readonly formula: string; readonly firstDay: string; readonly lastDay: string },
): Promise<Set<string>> {
  const { rows } = await sql.query<{ scored: string }>(
    `SELECT DISTINCT repo_id || ' ' || (parts ->> 'asOf') AS scored FROM scores
     WHERE formula = $1 AND parts ->> 'asOf' BETWEEN $2 AND $3`,
    [range.formula, range.firstDay, range.lastDay],
  );
  return new Set(rows.map(({ scored }) => scored));
}
