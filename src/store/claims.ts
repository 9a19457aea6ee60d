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

export interface StoredClaim extends NewClaim {
  readonly id: number;
}

const BATCH_ROWS = 1_000;

/** The claims that come from the history of a repository, not those that were written by hand. */
const OF_HISTORY = "kind IN ('author', 'co-author')";

export async function readClaims(sql: Sql, repoId: string): Promise<StoredClaim[]> {
  const { rows } = await sql.query<StoredClaim>(
    `SELECT id, identity_id AS "identityId", kind, coalesce(name, '') AS name, coalesce(email, '') AS email,
       commit_count AS "commitCount", coalesce(first_seen_at, created_at) AS "firstSeenAt",
       coalesce(last_seen_at, created_at) AS "lastSeenAt", reason
     FROM claims WHERE repo_id = $1 AND ${OF_HISTORY} ORDER BY id`,
    [repoId],
  );
  return rows;
}

export interface ClaimsReplaced {
  readonly removed: number;
  /** Whose claims are not as they were, before or now. */
  readonly touched: ReadonlySet<string>;
}

/**
 * Makes these the claims of the repository: adds, corrects, and removes what its history no longer says. Only what
 * differs is written, so the same claims again change nothing. `had`: what `readClaims` gave in this transaction.
 */
export async function replaceClaims(
  tx: Sql,
  repoId: string,
  claims: readonly NewClaim[],
  had?: readonly StoredClaim[],
): Promise<ClaimsReplaced> {
  const vanished = new Map(
    (had ?? (await readClaims(tx, repoId))).map((claim) => [keyOf(claim), claim]),
  );
  const touched = new Set<string>();
  const changed: NewClaim[] = [];
  for (const claim of claims) {
    const before = vanished.get(keyOf(claim));
    vanished.delete(keyOf(claim));
    if (before !== undefined && isSame(before, claim)) continue;
    changed.push(claim);
    touched.add(claim.identityId);
    if (before !== undefined) touched.add(before.identityId);
  }
  for (const { identityId } of vanished.values()) touched.add(identityId);
  await putClaims(tx, repoId, changed);
  await tx.query("DELETE FROM claims WHERE id = ANY ($1)", [
    [...vanished.values()].map(({ id }) => id),
  ]);
  return { removed: vanished.size, touched };
}

/** As the unique index of `claims` tells them apart. */
function keyOf({ kind, email, name }: NewClaim): string {
  return `${kind}\0${email}\0${name}`;
}

function isSame(before: NewClaim, now: NewClaim): boolean {
  return (
    before.identityId === now.identityId &&
    before.commitCount === now.commitCount &&
    before.firstSeenAt.getTime() === now.firstSeenAt.getTime() &&
    before.lastSeenAt.getTime() === now.lastSeenAt.getTime() &&
    before.reason === now.reason
  );
}

async function putClaims(tx: Sql, repoId: string, claims: readonly NewClaim[]): Promise<void> {
  for (let at = 0; at < claims.length; at += BATCH_ROWS) {
    await tx.query(
      `INSERT INTO claims AS c
         (repo_id, identity_id, kind, name, email, commit_count, first_seen_at, last_seen_at, reason)
       SELECT $1, n."identityId", n.kind, n.name, n.email, n."commitCount", n."firstSeenAt",
         n."lastSeenAt", n.reason
       FROM jsonb_to_recordset($2::jsonb) AS n("identityId" text, kind text, name text, email text,
         "commitCount" integer, "firstSeenAt" timestamptz, "lastSeenAt" timestamptz, reason text)
       ON CONFLICT (repo_id, kind, coalesce(email, ''), coalesce(name, '')) DO UPDATE SET
         identity_id = excluded.identity_id, commit_count = excluded.commit_count,
         first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at,
         reason = excluded.reason`,
      [repoId, JSON.stringify(claims.slice(at, at + BATCH_ROWS))],
    );
  }
}

/** Claims of one identity, but not these. */
export async function listOtherClaims(
  sql: Sql,
  identityId: string,
  notIds: readonly number[],
): Promise<{ id: number; name: string; email: string }[]> {
  const { rows } = await sql.query<{ id: number; name: string; email: string }>(
    `SELECT id, coalesce(name, '') AS name, coalesce(email, '') AS email FROM claims
     WHERE identity_id = $1 AND NOT EXISTS (SELECT FROM unnest($2::bigint[]) AS n(id) WHERE n.id = claims.id)`,
    [identityId, notIds],
  );
  return rows;
}

/** The claim's identity was merged into one that is there. */
const MISLED = `claims c JOIN identities i ON i.id = c.identity_id JOIN identities t ON t.id = i.merged_into`;
/** Neither the claim's identity is there, nor whom it was merged into. */
const ORPHANED = `claims c WHERE NOT EXISTS (
  SELECT FROM identities i JOIN identities t ON t.id = coalesce(i.merged_into, i.id) WHERE i.id = c.identity_id)`;

/** Claims that point at an identity which was merged, and claims of no identity at all (HB-api-06). */
export async function countLostClaims(sql: Sql): Promise<{ misled: number; orphaned: number }> {
  const { rows } = await sql.query<{ misled: number; orphaned: number }>(
    `SELECT (SELECT count(*) FROM ${MISLED})::int AS misled, (SELECT count(*) FROM ${ORPHANED})::int AS orphaned`,
  );
  return rows[0]!;
}

/**
 * Up to `limit` claims beyond `afterId` that point at a merged identity follow it to where it went. Each is looked at
 * once: identities that plain SQL has merged in a circle would lead it round for ever. Returns their ids, ascending.
 */
export async function redirectClaims(tx: Sql, afterId: number, limit: number): Promise<number[]> {
  const { rows } = await tx.query<{ id: number }>(
    `WITH moved AS (
       UPDATE claims c SET identity_id = n.target
       FROM (SELECT c.id, t.id AS target FROM ${MISLED} WHERE c.id > $1 ORDER BY c.id LIMIT $2) n
       WHERE c.id = n.id RETURNING c.id
     )
     SELECT id FROM moved ORDER BY id`,
    [afterId, limit],
  );
  return rows.map(({ id }) => id);
}

/** Up to `limit` claims of nobody move to a record of the job in the same statement. Returns their number. */
export async function removeOrphanedClaims(
  tx: Sql,
  limit: number,
  record: { readonly jobSeq: number; readonly kind: string },
): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    `WITH gone AS (
       DELETE FROM claims WHERE id IN (SELECT c.id FROM ${ORPHANED} ORDER BY c.id LIMIT $1) RETURNING *
     ), kept AS (
       INSERT INTO control.repair_record (job_seq, kind, rows)
       SELECT $2, $3, jsonb_agg(to_jsonb(gone) ORDER BY id) FROM gone HAVING count(*) > 0
     )
     SELECT count(*)::int AS count FROM gone`,
    [limit, record.jobSeq, record.kind],
  );
  return rows[0]!.count;
}

/** When each repository's history begins, by its claims: nothing can be said about earlier days. */
export async function readFirstCommitTimes(sql: Sql): Promise<Map<string, Date>> {
  const { rows } = await sql.query<{ repoId: string; firstAt: Date }>(
    `SELECT repo_id AS "repoId", min(first_seen_at) AS "firstAt" FROM claims
     WHERE repo_id IS NOT NULL AND first_seen_at IS NOT NULL GROUP BY repo_id`,
  );
  return new Map(rows.map(({ repoId, firstAt }) => [repoId, firstAt]));
}
