/**
 * Rows of `identities`: one a person or bot. A merge points one at another and moves its claims;
 * `merged_into` always names the last of a chain, so one step finds it. Each merge keeps what is
 * needed to take it back (HB-wrk-10).
 */
import type { Sql } from "./database.js";

export interface NewIdentity {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly kind: "human" | "bot";
}

const BATCH_ROWS = 1_000;

/**
 * Lets one transaction at a time decide who is whom, over all workers. Merges from several
 * repositories would otherwise point at each other in circles.
 */
export async function lockIdentities(tx: Sql): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('algobrain.identities', 0))");
}

/** Adds those not yet known; the known keep what they have. */
export async function addIdentities(sql: Sql, identities: readonly NewIdentity[]): Promise<void> {
  for (let at = 0; at < identities.length; at += BATCH_ROWS) {
    await sql.query(
      `INSERT INTO identities (id, name, email, kind)
       SELECT id, name, email, kind
       FROM jsonb_to_recordset($1::jsonb) AS n(id text, name text, email text, kind text)
       ORDER BY id
       ON CONFLICT (id) DO NOTHING`,
      [JSON.stringify(identities.slice(at, at + BATCH_ROWS))],
    );
  }
}

/** Who stands for each of these identities now: themselves, or whom they were merged into. */
export async function resolveIdentities(
  sql: Sql,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await sql.query<{ id: string; standsFor: string }>(
    `SELECT id, coalesce(merged_into, id) AS "standsFor" FROM identities WHERE id = ANY ($1)`,
    [ids],
  );
  return new Map(rows.map(({ id, standsFor }) => [id, standsFor]));
}

export interface Merge {
  readonly identityId: string;
  readonly targetId: string;
  /** `same-full-name`, `same-login-and-name`, or `asked`. */
  readonly reason: string;
  readonly jobSeq: number | null;
}

export type MergeOutcome =
  | "merged"
  /** It was merged into this target before. */
  | "merged-before"
  | "identity-unknown"
  | "target-unknown"
  /** One of the two now stands behind a third. */
  | "merged-elsewhere";

/** One statement: either all of it moved, or nothing. The caller holds `lockIdentities`. */
export async function mergeIdentity(tx: Sql, merge: Merge): Promise<MergeOutcome> {
  const { rowCount } = await tx.query(
    `WITH merged AS (
       UPDATE identities SET merged_into = $2, updated_at = now()
       WHERE id = $1 AND id <> $2 AND merged_into IS NULL
         AND EXISTS (SELECT FROM identities WHERE id = $2 AND merged_into IS NULL)
       RETURNING id
     ), followers AS (
       UPDATE identities SET merged_into = $2, updated_at = now()
       WHERE merged_into = $1 AND EXISTS (SELECT FROM merged)
       RETURNING id
     ), moved AS (
       UPDATE claims SET identity_id = $2
       WHERE identity_id = $1 AND EXISTS (SELECT FROM merged)
       RETURNING id
     )
     INSERT INTO control.identity_merge (identity_id, target_id, reason, job_seq, claim_ids, follower_ids)
     SELECT id, $2, $3, $4, array(SELECT id FROM moved), array(SELECT id FROM followers) FROM merged`,
    [merge.identityId, merge.targetId, merge.reason, merge.jobSeq],
  );
  return rowCount === 1 ? "merged" : explainMerge(tx, merge);
}

async function explainMerge(tx: Sql, merge: Merge): Promise<MergeOutcome> {
  const standing = await resolveIdentities(tx, [merge.identityId, merge.targetId]);
  if (!standing.has(merge.targetId)) return "target-unknown";
  const standsFor = standing.get(merge.identityId);
  if (standsFor === undefined) return "identity-unknown";
  return standsFor === merge.targetId ? "merged-before" : "merged-elsewhere";
}

/** Takes back what a job merged from one identity. Safe to repeat: what is undone stays undone. */
export async function undoMerge(tx: Sql, identityId: string, jobSeq: number): Promise<boolean> {
  const { rowCount } = await tx.query(
    `WITH undone AS (
       UPDATE control.identity_merge SET undone_at = now()
       WHERE identity_id = $1 AND job_seq = $2 AND undone_at IS NULL
       RETURNING *
     ), back AS (
       UPDATE identities i SET merged_into = NULL, updated_at = now()
       FROM undone u WHERE i.id = u.identity_id AND i.merged_into = u.target_id
     ), followers AS (
       UPDATE identities i SET merged_into = u.identity_id, updated_at = now()
       FROM undone u WHERE i.id = ANY (u.follower_ids) AND i.merged_into = u.target_id
     ), claims_back AS (
       UPDATE claims c SET identity_id = u.identity_id
       FROM undone u WHERE c.id = ANY (u.claim_ids) AND c.identity_id = u.target_id
     )
     SELECT 1 FROM undone`,
    [identityId, jobSeq],
  );
  return rowCount > 0;
}

/** Names each identity as most of its commits do; a real mail is better than GitHub's no-reply one. */
export async function renameByClaims(sql: Sql, ids: readonly string[]): Promise<void> {
  await sql.query(
    `UPDATE identities i SET name = best.name, email = best.email, updated_at = now()
     FROM (
       SELECT DISTINCT ON (identity_id) identity_id, name, email FROM claims
       WHERE identity_id = ANY ($1)
       ORDER BY identity_id, (email LIKE '%@users.noreply.github.com'), commit_count DESC, email, name
     ) best
     WHERE i.id = best.identity_id AND (i.name, i.email) IS DISTINCT FROM (best.name, best.email)`,
    [ids],
  );
}
