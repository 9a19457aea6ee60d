/** Whose account a mail is, by what GitHub itself said in the pushes that it signed. */
import type { Sql } from "./database.js";

/** Newest pushes that are looked at: each names up to 20 commits, so these know whoever is at work. */
const PUSHES_MAX = 300;

/** As written; one mail may stand here with several logins. Empty without webhooks. */
export async function readPushedLogins(
  sql: Sql,
  repoId: string,
): Promise<{ mail: string; login: string }[]> {
  const { rows } = await sql.query<{ mail: string; login: string }>(
    `SELECT DISTINCT c #>> '{author,email}' AS mail, c #>> '{author,username}' AS login
     FROM (
       SELECT payload -> 'commits' AS commits FROM events
       WHERE repo_id = $1 AND event_type = 'push' AND source = 'github'
         AND jsonb_typeof(payload -> 'commits') = 'array'
       ORDER BY occurred_at DESC LIMIT ${PUSHES_MAX}
     ) pushes, jsonb_array_elements(commits) AS c
     WHERE jsonb_typeof(c #> '{author,email}') = 'string' AND jsonb_typeof(c #> '{author,username}') = 'string'
     ORDER BY 1, 2`,
    [repoId],
  );
  return rows;
}
