/**
 * What was read of a repository's history: up to which commit, by which rules, and what its claims then added up to.
 * With that the next read needs only what is new, and notices when the claims were changed behind its back.
 */
import type { Sql } from "./database.js";

export interface RepoHistory {
  /** Commit hash. */
  readonly head: string;
  /** Object that named people in that commit; null: none. */
  readonly mailmap: string | null;
  /** Name of the rules by which signatures became people. */
  readonly rules: string;
  readonly commits: number;
  /** Sum of `commit_count` over the claims that were written then. */
  readonly claimsSum: number;
}

export interface PastRead extends RepoHistory {
  /** The same sum over the claims as they are now. */
  readonly claimsSumNow: number;
}

/** Null: never read, or not since it was empty. */
export async function readRepoHistory(sql: Sql, repoId: string): Promise<PastRead | null> {
  const { rows } = await sql.query<PastRead>(
    `SELECT head, mailmap, rules, commits, claims_sum AS "claimsSum",
       (SELECT coalesce(sum(commit_count), 0)::bigint FROM claims
        WHERE repo_id = $1 AND kind IN ('author', 'co-author')) AS "claimsSumNow"
     FROM control.repo_history WHERE repo_id = $1`,
    [repoId],
  );
  return rows[0] ?? null;
}

/** False, and nothing written: since `pastHead` was read, somebody else has moved it. */
export async function moveRepoHistory(
  tx: Sql,
  repoId: string,
  pastHead: string | null,
  now: RepoHistory,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO control.repo_history AS h (repo_id, head, mailmap, rules, commits, claims_sum, read_at)
     VALUES ($1, $3, $4, $5, $6, $7, now())
     ON CONFLICT (repo_id) DO UPDATE SET head = excluded.head, mailmap = excluded.mailmap, rules = excluded.rules,
       commits = excluded.commits, claims_sum = excluded.claims_sum, read_at = excluded.read_at
     WHERE h.head IS NOT DISTINCT FROM $2`,
    [repoId, pastHead, now.head, now.mailmap, now.rules, now.commits, now.claimsSum],
  );
  return rowCount === 1;
}

/** The repository has no commits any more: the next read begins anew. */
export async function forgetRepoHistory(tx: Sql, repoId: string): Promise<void> {
  await tx.query("DELETE FROM control.repo_history WHERE repo_id = $1", [repoId]);
}
