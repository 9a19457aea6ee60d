/**
 * Rows of `identities`: one a person or bot. A merge (identity-merges) points one at another; `merged_into` always
 * names the last of a chain, so one step finds it.
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

/**
 * Adds those not yet known; the known keep what they have. Whom nobody has seen for a month counts as seen again: that
 * also locks the row, so that retention cannot take somebody away who is given a claim in the same moment.
 */
export async function addIdentities(sql: Sql, identities: readonly NewIdentity[]): Promise<void> {
  for (let at = 0; at < identities.length; at += BATCH_ROWS) {
    await sql.query(
      `INSERT INTO identities (id, name, email, kind)
       SELECT id, name, email, kind
       FROM jsonb_to_recordset($1::jsonb) AS n(id text, name text, email text, kind text)
       ORDER BY id
       ON CONFLICT (id) DO UPDATE SET updated_at = now()
       WHERE identities.updated_at < now() - interval '30 days'`,
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

export interface Namesake {
  /** Who stands for it now. */
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

/** More who bear one name: the name says nothing about who it is. */
const NAMESAKES_MAX = 20;
/** Of all names of one repository together: more is a flood. */
const ALL_NAMESAKES_MAX = 10_000;
/** As in src/workload/evidence.ts: a mail under which more people write is a shared mailbox. */
const NAMES_OF_A_MAIL_MAX = 3;

/**
 * People known from anywhere who bear one of these names (in lower case), by each of their mails; not those who are
 * `known` already, no bots, no shared mailboxes, and nobody for names that many bear.
 */
export async function findNamesakes(
  sql: Sql,
  names: readonly string[],
  known: readonly string[],
): Promise<Namesake[]> {
  const { rows } = await sql.query<Namesake>(
    `SELECT id, name, email FROM (
       SELECT coalesce(i.merged_into, i.id) AS id, i.name, coalesce(i.email, '') AS email,
         count(*) OVER (PARTITION BY lower(i.name)) AS namesakes
       FROM identities i
       WHERE lower(i.name) = ANY ($1) AND i.kind = 'human' AND i.id <> ALL ($2)
     ) named
     WHERE namesakes <= ${NAMESAKES_MAX} AND id <> ALL ($2) AND ${NAMES_OF_A_MAIL_MAX} >= (
       SELECT count(DISTINCT lower(c.name)) FROM claims c
       WHERE c.identity_id = named.id AND lower(c.email) = lower(named.email) AND c.name LIKE '% %'
     )
     ORDER BY id, email LIMIT ${ALL_NAMESAKES_MAX}`,
    [names, known],
  );
  return rows;
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
