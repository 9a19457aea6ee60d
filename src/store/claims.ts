/** Rows of `claims`: what the history of one repository says about one person, and why we believe it. */
import type { Sql } from "./database.js";

export interface NewClaim {
  readonly identityId: string;
  readonly kind: "author" | "co-author";
  readonly name: string;
  readonly email: string;
  readonly commitCount: number;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  readonly reason: string;
}

const BATCH_ROWS = 1_000;

/**
 * Makes these the claims of the repository: adds, corrects, and removes what its history no longer says.
 * The same claims again change nothing. Returns how many rows were removed.
 */
export async function replaceClaims(
  tx: Sql,
  repoId: string,
  claims: readonly NewClaim[],
): Promise<{ removed: number }> {
  const kept: number[] = [];
  for (let at = 0; at < claims.length; at += BATCH_ROWS) {
    const { rows } = await tx.query<{ id: number }>(
      `INSERT INTO claims AS c
         (repo_id, identity_id, kind, name, email, commit_count, first_seen_at, last_seen_at, reason)
       SELECT $1, n."identityId", n.kind, n.name, n.email, n."commitCount", n."firstSeenAt",
         n."lastSeenAt", n.reason
       FROM jsonb_to_recordset($2::jsonb) AS n("identityId" text, kind text, name text, email text,
         "commitCount" integer, "firstSeenAt" timestamptz, "lastSeenAt" timestamptz, reason text)
       ON CONFLICT (repo_id, kind, coalesce(email, ''), coalesce(name, '')) DO UPDATE SET
         identity_id = excluded.identity_id, commit_count = excluded.commit_count,
         first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at,
         reason = excluded.reason
       RETURNING id`,
      [repoId, JSON.stringify(claims.slice(at, at + BATCH_ROWS))],
    );
    for (const { id } of rows) kept.push(id);
  }
  const { rowCount } = await tx.query(
    `DELETE FROM claims WHERE repo_id = $1 AND kind IN ('author', 'co-author')
       AND NOT EXISTS (SELECT FROM unnest($2::bigint[]) AS kept(id) WHERE kept.id = claims.id)`,
    [repoId, kept],
  );
  return { removed: rowCount };
}

/** Claims that point at an identity which was merged follow it to where it went. Returns their number. */
export async function redirectClaims(sql: Sql): Promise<number> {
  const { rowCount } = await sql.query(
    `UPDATE claims c SET identity_id = i.merged_into FROM identities i
     WHERE i.id = c.identity_id AND i.merged_into IS NOT NULL`,
  );
  return rowCount;
}

/** Removes up to `limit` claims whose identity does not exist (HB-api-06). Returns their number. */
export async function deleteOrphanedClaims(sql: Sql, limit: number): Promise<number> {
  const { rowCount } = await sql.query(
    `DELETE FROM claims WHERE id IN (
       SELECT id FROM claims c
       WHERE NOT EXISTS (SELECT FROM identities i WHERE i.id = c.identity_id)
       ORDER BY id LIMIT $1)`,
    [limit],
  );
  return rowCount;
}

/** When each repository's history begins, by its claims: nothing can be said about earlier days. */
export async function readFirstCommitTimes(sql: Sql): Promise<Map<string, Date>> {
  const { rows } = await sql.query<{ repoId: string; firstAt: Date }>(
    `SELECT repo_id AS "repoId", min(first_seen_at) AS "firstAt" FROM claims
     WHERE repo_id IS NOT NULL AND first_seen_at IS NOT NULL GROUP BY repo_id`,
  );
  return new Map(rows.map(({ repoId, firstAt }) => [repoId, firstAt]));
}
