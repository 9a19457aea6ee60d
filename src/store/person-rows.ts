/** The rows of `identities` and `claims` that are one person, and how they become rows of nobody. */
import type { Sql } from "./database.js";
import { FORGOTTEN_ID, FORGOTTEN_NAME } from "./forgotten.js";
import { lockIdentities } from "./identities.js";

/** GitHub's no-reply mails carry the account's number before the login; the login alone tells who it is. */
const PLAIN_MAIL = String.raw`regexp_replace(lower(email), '^\d+\+([^@]+@users\.noreply\.github\.com)$', '\1')`;

/**
 * Ids of those with such an id or such a mail (lower case), of whom they were merged into, and of all who were merged
 * into the same. Ids of claims whose identity is gone are among them.
 */
export async function findPersonIds(
  sql: Sql,
  by: { readonly ids: readonly string[]; readonly mails: readonly string[] },
): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `WITH matched AS (
       SELECT id FROM identities WHERE id = ANY ($1) OR ${PLAIN_MAIL} = ANY ($2)
       UNION SELECT identity_id FROM claims WHERE identity_id = ANY ($1) OR ${PLAIN_MAIL} = ANY ($2)
     ), standing AS (
       SELECT id FROM matched UNION SELECT merged_into FROM identities JOIN matched USING (id)
       WHERE merged_into IS NOT NULL
     )
     SELECT id FROM standing WHERE id <> $3
     UNION SELECT i.id FROM identities i JOIN standing s ON i.merged_into = s.id WHERE i.id <> $3
     ORDER BY id`,
    [by.ids, by.mails, FORGOTTEN_ID],
  );
  return rows.map(({ id }) => id);
}

export interface SignatureRow {
  readonly name: string;
  readonly mail: string;
}

/** All names and mails that these people were seen with, those of most commits first. */
export async function readSignatures(sql: Sql, ids: readonly string[]): Promise<SignatureRow[]> {
  const { rows } = await sql.query<SignatureRow>(
    `SELECT name, mail FROM (
       SELECT coalesce(name, '') AS name, coalesce(email, '') AS mail, commit_count FROM claims WHERE identity_id = ANY ($1)
       UNION ALL SELECT coalesce(name, ''), coalesce(email, ''), 0 FROM identities WHERE id = ANY ($1)
     ) seen GROUP BY name, mail ORDER BY sum(commit_count) DESC, name, mail`,
    [ids],
  );
  return rows.filter(({ name, mail }) => name !== "" || mail !== "");
}

export interface PersonRows {
  readonly identities: number;
  readonly claims: number;
  readonly repos: number;
}

export async function countPersonRows(sql: Sql, ids: readonly string[]): Promise<PersonRows> {
  const { rows } = await sql.query<PersonRows>(
    `SELECT (SELECT count(*)::int FROM identities WHERE id = ANY ($1)) AS identities,
       count(*)::int AS claims, count(DISTINCT repo_id)::int AS repos
     FROM claims WHERE identity_id = ANY ($1)`,
    [ids],
  );
  return rows[0]!;
}

/**
 * Their claims become one line a repository and kind, under the identity of nobody, with the sums: totals and scores
 * stay. Their identities go, and what was decided or guessed about them. Again it changes nothing.
 */
export async function foldPerson(tx: Sql, ids: readonly string[]): Promise<PersonRows> {
  await lockIdentities(tx);
  const counted = await countPersonRows(tx, ids);
  if (counted.claims > 0) await foldClaims(tx, ids);
  await tx.query("DELETE FROM control.identity_hint WHERE a = ANY ($1) OR b = ANY ($1)", [ids]);
  await tx.query(
    "DELETE FROM control.identity_merge WHERE identity_id = ANY ($1) OR target_id = ANY ($1)",
    [ids],
  );
  await tx.query(
    `UPDATE control.identity_merge
     SET follower_ids = array(SELECT id FROM unnest(follower_ids) AS id WHERE id <> ALL ($1))
     WHERE follower_ids && $1::text[]`,
    [ids],
  );
  await tx.query("DELETE FROM identities WHERE id = ANY ($1)", [ids]);
  return counted;
}

async function foldClaims(tx: Sql, ids: readonly string[]): Promise<void> {
  await tx.query(
    `INSERT INTO identities (id, name, email, kind) VALUES ($1, $2, '', 'human') ON CONFLICT (id) DO NOTHING`,
    [FORGOTTEN_ID, FORGOTTEN_NAME],
  );
  await tx.query(
    `WITH gone AS (DELETE FROM claims WHERE identity_id = ANY ($1) RETURNING *)
     INSERT INTO claims AS c
       (repo_id, identity_id, kind, name, email, commit_count, first_seen_at, last_seen_at, reason)
     SELECT repo_id, $2, kind, $3, '', least(sum(commit_count), 2147483647), min(first_seen_at), max(last_seen_at), 'forgotten'
     FROM gone GROUP BY repo_id, kind
     ON CONFLICT (repo_id, kind, coalesce(email, ''), coalesce(name, '')) DO UPDATE SET
       identity_id = excluded.identity_id, commit_count = least(c.commit_count::bigint + excluded.commit_count, 2147483647),
       first_seen_at = least(c.first_seen_at, excluded.first_seen_at),
       last_seen_at = greatest(c.last_seen_at, excluded.last_seen_at), reason = excluded.reason`,
    [ids, FORGOTTEN_ID, FORGOTTEN_NAME],
  );
}
