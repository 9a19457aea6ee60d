/** Facts read back to prove that something happened: for the game day and for people who ask "did it?". */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

export interface IndexEvidence {
  readonly repoId: string;
  readonly name: string;
  readonly headCommit: string | null;
  /** People with commits in it, after merging. */
  readonly people: number;
  readonly claims: number;
  readonly commits: number;
  readonly score: number | null;
  readonly parts: JsonObject | null;
}

/** Of the repository at this place; null while there is none. */
export async function readIndexEvidence(sql: Sql, location: string): Promise<IndexEvidence | null> {
  const { rows } = await sql.query<IndexEvidence>(
    `SELECT repo.id AS "repoId", repo.name, repo.head_commit AS "headCommit",
            (SELECT count(DISTINCT coalesce(person.merged_into, person.id)) FROM public.claims
               JOIN public.identities AS person ON person.id = claims.identity_id
             WHERE claims.repo_id = repo.id) AS people,
            (SELECT count(*) FROM public.claims WHERE repo_id = repo.id) AS claims,
            (SELECT coalesce(sum(commit_count), 0) FROM public.claims WHERE repo_id = repo.id AND kind = 'author') AS commits,
            latest.score, latest.parts
     FROM public.repos AS repo
     LEFT JOIN LATERAL (
       SELECT score, parts FROM public.scores WHERE repo_id = repo.id ORDER BY computed_at DESC LIMIT 1
     ) AS latest ON true
     WHERE repo.location = $1`,
    [location],
  );
  return rows[0] ?? null;
}

/** How many rows the tables have that an outsider could cause to grow. Equal before and after: nothing changed. */
export async function countOutsideRows(sql: Sql): Promise<string> {
  const { rows } = await sql.query<{ counts: string }>(
    `SELECT format('%s inbound, %s runs, %s ingest jobs, %s events',
       (SELECT count(*) FROM control.inbound), (SELECT count(*) FROM control.run),
       (SELECT count(*) FROM public.jobs WHERE job_type = 'ingest'), (SELECT count(*) FROM public.events)) AS counts`,
  );
  return rows[0]!.counts;
}
