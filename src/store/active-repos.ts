/** The repositories in which most recently something happened, each with its latest score: one statement. */
import type { Sql } from "./database.js";
import type { Repo } from "./repos.js";

export interface LatestScore {
  readonly score: number;
  /** Null for a row that was written by plain SQL. */
  readonly formula: string | null;
  readonly commit: string | null;
  readonly computedAt: Date;
}

export interface ActiveRepo {
  readonly repo: Repo;
  readonly latestScore: LatestScore | null;
}

type Row = Repo & (LatestScore | { readonly score: null });

/** Newest activity first: a new head, a rename, a move. Archived ones and those that can be read nowhere are not among them. */
export async function listActiveRepos(sql: Sql, limit: number): Promise<ActiveRepo[]> {
  const { rows } = await sql.query<Row>(
    `SELECT r.id, r.name, r.org, r.location, r.root, r.default_branch AS "defaultBranch",
            r.head_commit AS "headCommit", r.archived,
            s.score::float8 AS score, s.formula, s.commit, s.computed_at AS "computedAt"
     FROM repos r
     LEFT JOIN LATERAL (
       SELECT score, formula, commit, computed_at FROM scores
       WHERE repo_id = r.id ORDER BY computed_at DESC LIMIT 1
     ) s ON true
     WHERE NOT r.archived AND (r.location IS NOT NULL
       OR EXISTS (SELECT FROM control.repo_source o WHERE o.repo_id = r.id AND o.gone_at IS NULL))
     ORDER BY r.updated_at DESC, r.id LIMIT $1`,
    [limit],
  );
  return rows.map(toActiveRepo);
}

/** By when it was computed; null: none yet. */
export async function findLatestScore(sql: Sql, repoId: string): Promise<LatestScore | null> {
  const { rows } = await sql.query<LatestScore>(
    `SELECT score::float8 AS score, formula, commit, computed_at AS "computedAt" FROM scores
     WHERE repo_id = $1 ORDER BY computed_at DESC LIMIT 1`,
    [repoId],
  );
  return rows[0] ?? null;
}

function toActiveRepo(row: Row): ActiveRepo {
  const { id, name, org, location, root, defaultBranch, headCommit, archived } = row;
  const repo = { id, name, org, location, root, defaultBranch, headCommit, archived };
  if (row.score === null) return { repo, latestScore: null };
  const { score, formula, commit, computedAt } = row;
  return { repo, latestScore: { score, formula, commit, computedAt } };
}
