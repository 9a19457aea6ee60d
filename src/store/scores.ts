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

/** By repository, the days (yyyy-mm-dd) of a range that have a score by this formula. */
export async function listScoredDays(
  sql: Sql,
  of: {
    readonly repoIds: readonly string[];
    readonly formula: string;
    readonly firstDay: string;
    readonly lastDay: string;
  },
): Promise<Map<string, ReadonlySet<string>>> {
  const { rows } = await sql.query<{ repoId: string; days: string[] }>(
    `SELECT repo_id AS "repoId", array_agg(DISTINCT parts ->> 'asOf') AS days FROM scores
     WHERE repo_id = ANY ($1) AND formula = $2 AND parts ->> 'asOf' BETWEEN $3 AND $4
     GROUP BY repo_id`,
    [of.repoIds, of.formula, of.firstDay, of.lastDay],
  );
  return new Map(rows.map(({ repoId, days }) => [repoId, new Set(days)]));
}
