/**
 * Merges of identities (HB-wrk-10). A merge points one identity at another and moves its claims. The records that are
 * not undone form a forest: each identity has at most one, and who stands for a person is the root above. Each record
 * names the claims it moved, so that any of them can be taken back, in any order.
 */
import type { Sql } from "./database.js";
import { resolveIdentities } from "./identities.js";

export interface Merge {
  readonly identityId: string;
  readonly targetId: string;
  /** Kinds of evidence joined by `+`, or `asked`. */
  readonly reason: string;
  /** 0–1; null when a person asked for it. */
  readonly score: number | null;
  readonly evidence: readonly string[];
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
  const { identityId, targetId, reason, jobSeq, score, evidence } = merge;
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
     INSERT INTO control.identity_merge
       (identity_id, target_id, reason, job_seq, claim_ids, follower_ids, score, evidence)
     SELECT id, $2, $3, $4, array(SELECT id FROM moved ORDER BY id), array(SELECT id FROM followers ORDER BY id), $5, $6
     FROM merged`,
    [identityId, targetId, reason, jobSeq, score, JSON.stringify(evidence)],
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

/** How many claims the merges of a job have moved, as far as they stand. */
export async function countMovedClaims(sql: Sql, jobSeq: number): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT coalesce(sum(cardinality(claim_ids)), 0)::int AS count
     FROM control.identity_merge WHERE job_seq = $1 AND undone_at IS NULL`,
    [jobSeq],
  );
  return rows[0]!.count;
}

/** Two who are kept apart: by whom they stand behind now, in the order of their ids. */
export type Apart = readonly [string, string];

/** Pairs of which a person said "not one", as far as one side is among `ids`; unless a person joined them again. */
export async function listApart(sql: Sql, ids: readonly string[]): Promise<Apart[]> {
  const { rows } = await sql.query<{ a: string; b: string }>(
    `SELECT DISTINCT least(a, b) AS a, greatest(a, b) AS b FROM (
       SELECT coalesce(i.merged_into, i.id) AS a, coalesce(t.merged_into, t.id) AS b
       FROM control.identity_merge m
       JOIN identities i ON i.id = m.identity_id JOIN identities t ON t.id = m.target_id
       WHERE m.undone_by IS NOT NULL
     ) pair WHERE a <> b AND (a = ANY ($1) OR b = ANY ($1))`,
    [ids],
  );
  return rows.map(({ a, b }) => [a, b]);
}

/** A merge that stands, with all that came along with it. */
export interface StandingMerge {
  readonly id: number;
  readonly identityId: string;
  /** Who stands for the two now. */
  readonly rootId: string;
  /** The identity, and everybody who came to stand behind another through it. */
  readonly members: readonly string[];
  readonly claimIds: readonly number[];
}

/** Null: unknown, undone, or of an identity that is no more. The caller holds `lockIdentities`. */
export async function findStandingMerge(tx: Sql, mergeId: number): Promise<StandingMerge | null> {
  const { rows } = await tx.query<StandingMerge>(
    `WITH RECURSIVE within AS (
       SELECT identity_id, follower_ids FROM control.identity_merge WHERE id = $1 AND undone_at IS NULL
       UNION
       SELECT m.identity_id, m.follower_ids FROM control.identity_merge m
       JOIN within w ON m.target_id = w.identity_id WHERE m.undone_at IS NULL
     ), written AS (
       -- Those whom plain SQL had pointed at it: they have no record of their own.
       SELECT i.id FROM within w JOIN identities i ON i.id = ANY (w.follower_ids)
       JOIN identities top ON top.id = w.identity_id AND top.merged_into = i.merged_into
       WHERE NOT EXISTS (SELECT FROM control.identity_merge m WHERE m.identity_id = i.id)
     )
     SELECT m.id, m.identity_id AS "identityId", i.merged_into AS "rootId", m.claim_ids AS "claimIds",
       array(SELECT identity_id FROM within UNION SELECT id FROM written) AS members
     FROM control.identity_merge m JOIN identities i ON i.id = m.identity_id
     WHERE m.id = $1 AND m.undone_at IS NULL AND i.merged_into IS NOT NULL`,
    [mergeId],
  );
  return rows[0] ?? null;
}

/**
 * Takes a merge back: its members stand behind its identity again, and `claimIds` are theirs. Merges above it forget
 * what left with it. With `undoneBy`, the job of a person's order, no evidence joins the two again. Returns how many claims went back.
 */
export async function splitOff(
  tx: Sql,
  merge: StandingMerge,
  claimIds: readonly number[],
  undoneBy: number | null,
): Promise<number> {
  await tx.query(
    `WITH RECURSIVE above AS (
       SELECT target_id AS id FROM control.identity_merge WHERE id = $1
       UNION
       SELECT m.target_id FROM control.identity_merge m JOIN above a ON m.identity_id = a.id WHERE m.undone_at IS NULL
     )
     UPDATE control.identity_merge m SET
       claim_ids = array(SELECT unnest(m.claim_ids) EXCEPT SELECT unnest($2::bigint[]) ORDER BY 1),
       follower_ids = array(SELECT unnest(m.follower_ids) EXCEPT SELECT unnest($3::text[]) ORDER BY 1)
     FROM above a WHERE m.identity_id = a.id AND m.undone_at IS NULL
       AND (m.claim_ids && $2::bigint[] OR m.follower_ids && $3::text[])`,
    [merge.id, claimIds, merge.members],
  );
  const { rowCount } = await tx.query(
    `WITH undone AS (
       UPDATE control.identity_merge SET undone_at = now(), undone_by = $5 WHERE id = $1
     ), back AS (
       UPDATE identities SET merged_into = nullif($2, id), updated_at = now() WHERE id = ANY ($3)
     )
     UPDATE claims SET identity_id = $2 WHERE id = ANY ($4) AND identity_id = $6`,
    [merge.id, merge.identityId, merge.members, claimIds, undoneBy, merge.rootId],
  );
  return rowCount;
}

/** The merge by which a job took an identity into another; null: none that stands. */
export async function findMergeOfJob(
  sql: Sql,
  identityId: string,
  jobSeq: number,
): Promise<number | null> {
  const { rows } = await sql.query<{ id: number }>(
    `SELECT id FROM control.identity_merge
     WHERE identity_id = $1 AND job_seq = $2 AND undone_at IS NULL ORDER BY id DESC LIMIT 1`,
    [identityId, jobSeq],
  );
  return rows[0]?.id ?? null;
}

/** Those of the ids that name a merge, standing or undone. */
export async function knownMerges(sql: Sql, ids: readonly number[]): Promise<Set<number>> {
  const { rows } = await sql.query<{ id: number }>(
    "SELECT id FROM control.identity_merge WHERE id = ANY ($1)",
    [ids],
  );
  return new Set(rows.map(({ id }) => id));
}
