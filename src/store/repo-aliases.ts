/** Every name that a repository ever had, so that one row is one repository for life (renames, transfers, old clones). */
import type { Sql } from "./database.js";

export interface RepoAlias {
  /** `host/owner/name`: see workload/remote. */
  readonly canonical: string;
  readonly repoId: string;
}

/** One of the ways to a row: GitHub's id, else a name, else the id that this name would give. */
export interface RepoLookup {
  readonly host: string;
  /** Null where only the name is known, as in a folder. */
  readonly githubId: number | null;
  readonly canonical: string;
  /** The row of before names were kept. */
  readonly plainId: string;
}

export interface RepoMatch {
  /** The row of this GitHub id. */
  readonly byGithubId: string | null;
  /** The row that bears the name, or bore it last. */
  readonly byName: string | null;
  /** GitHub's id of that row; null: it is known only from a folder. */
  readonly githubIdOfName: number | null;
}

/** In the order of what was asked. */
export async function matchRepos(sql: Sql, lookups: readonly RepoLookup[]): Promise<RepoMatch[]> {
  const { rows } = await sql.query<RepoMatch>(
    `SELECT known.repo_id AS "byGithubId", named.id AS "byName", source.github_id AS "githubIdOfName"
     FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS
       (host text, "githubId" bigint, canonical text, "plainId" text))
       WITH ORDINALITY AS w(host, "githubId", canonical, "plainId", ord)
     LEFT JOIN control.repo_source known ON known.host = w.host AND known.github_id = w."githubId"
     LEFT JOIN control.repo_alias alias ON alias.canonical = w.canonical
     LEFT JOIN repos named ON named.id = coalesce(alias.repo_id, w."plainId")
     LEFT JOIN control.repo_source source ON source.repo_id = named.id
     ORDER BY w.ord`,
    [JSON.stringify(lookups)],
    "match-repos",
  );
  return rows;
}

/**
 * `authoritative`: GitHub said so, and a name that another repository had before now means this one. Else only
 * names that nobody bears are taken. Each name at most once.
 */
export async function addAliases(
  sql: Sql,
  aliases: readonly RepoAlias[],
  options: { readonly authoritative: boolean },
): Promise<void> {
  await sql.query(
    `INSERT INTO control.repo_alias AS a (canonical, repo_id)
     SELECT canonical, "repoId" FROM jsonb_to_recordset($1::jsonb) AS t(canonical text, "repoId" text)
     ORDER BY canonical
     ON CONFLICT (canonical) DO ${
       options.authoritative
         ? "UPDATE SET repo_id = excluded.repo_id, since = now() WHERE a.repo_id <> excluded.repo_id"
         : "NOTHING"
     }`,
    [JSON.stringify(aliases)],
  );
}
