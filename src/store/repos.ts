/** Rows of `repos`: the repositories that are indexed. What has vanished is archived, never deleted. */
import type { Sql } from "./database.js";

export interface Repo {
  readonly id: string;
  readonly name: string;
  readonly org: string | null;
  /** Absolute path of the copy on this machine; null when there is none. */
  readonly location: string | null;
  /** The folder that was indexed: nothing outside of it is read. Null for rows of before this was kept. */
  readonly root: string | null;
  readonly defaultBranch: string | null;
  /** Null while there is no commit. */
  readonly headCommit: string | null;
  readonly archived: boolean;
}

export type LocalRepo = Repo & { readonly location: string };
export type FoundRepo = Omit<Repo, "archived">;

const COLUMNS = `id, name, org, location, root, default_branch AS "defaultBranch",
  head_commit AS "headCommit", archived`;

/** Rows sent in one statement: enough to be quick, small enough to be short. */
const BATCH_ROWS = 500;

/**
 * Inserts what is new, updates what changed, and takes back an archiving. Each id at most once. A repository that
 * GitHub knows keeps the name that GitHub gave it: a clone in a folder may be older than a rename.
 */
export async function upsertRepos(sql: Sql, repos: readonly FoundRepo[]): Promise<void> {
  for (let at = 0; at < repos.length; at += BATCH_ROWS) {
    await sql.query(
      `INSERT INTO repos AS r (id, name, org, location, root, default_branch, head_commit, indexed_at)
       SELECT f.id, coalesce(s.name, f.name), coalesce(s.owner, f.org), f.location, f.root, f."defaultBranch",
         f."headCommit", now()
       FROM jsonb_to_recordset($1::jsonb)
         AS f(id text, name text, org text, location text, root text, "defaultBranch" text, "headCommit" text)
       LEFT JOIN control.repo_source s ON s.repo_id = f.id AND s.gone_at IS NULL
       -- One order for all, so that two folders with the same repositories cannot deadlock.
       ORDER BY f.id
       ON CONFLICT (id) DO UPDATE SET
         name = excluded.name, org = excluded.org, location = excluded.location, root = excluded.root,
         default_branch = excluded.default_branch, head_commit = excluded.head_commit,
         archived = false, archived_as = NULL, indexed_at = excluded.indexed_at,
         updated_at = CASE
           WHEN (r.name, r.org, r.location, r.default_branch, r.head_commit, r.archived)
             IS DISTINCT FROM (excluded.name, excluded.org, excluded.location,
               excluded.default_branch, excluded.head_commit, false)
           THEN now() ELSE r.updated_at END`,
      [JSON.stringify(repos.slice(at, at + BATCH_ROWS))],
    );
  }
}

export async function findRepo(sql: Sql, id: string): Promise<Repo | null> {
  const { rows } = await sql.query<Repo>(`SELECT ${COLUMNS} FROM repos WHERE id = $1`, [id]);
  return rows[0] ?? null;
}

/** Repositories with a copy on this machine that are not archived, by id, after `afterId`. */
export async function listLocalRepos(
  sql: Sql,
  page: { readonly afterId: string; readonly limit: number },
): Promise<LocalRepo[]> {
  const { rows } = await sql.query<LocalRepo>(
    `SELECT ${COLUMNS} FROM repos
     WHERE NOT archived AND location IS NOT NULL AND id > $1 ORDER BY id LIMIT $2`,
    [page.afterId, page.limit],
  );
  return rows;
}

/** Records a new head. False when it was known already. */
export async function moveHead(
  sql: Sql,
  id: string,
  head: { readonly commit: string; readonly branch: string | null } | null,
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE repos SET head_commit = $2, default_branch = coalesce($3, default_branch), updated_at = now()
     WHERE id = $1 AND head_commit IS DISTINCT FROM $2`,
    [id, head?.commit ?? null, head?.branch ?? null],
  );
  return rowCount === 1;
}

/** Its copy is gone. False when it was archived already, or is unknown. */
export async function archiveRepo(sql: Sql, id: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE repos SET archived = true, archived_as = 'vanished', updated_at = now()
     WHERE id = $1 AND NOT archived`,
    [id],
  );
  return rowCount === 1;
}

/** Archives what was indexed at `folder` or directly inside it and is not in `presentIds`. Returns their ids. */
export async function archiveVanished(
  sql: Sql,
  folder: string,
  presentIds: readonly string[],
): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `UPDATE repos SET archived = true, archived_as = 'vanished', updated_at = now()
     WHERE NOT archived AND id <> ALL ($2::text[])
       AND (location = $1 OR regexp_replace(location, '/[^/]*$', '') = rtrim($1, '/'))
     RETURNING id`,
    [folder, presentIds],
  );
  return rows.map(({ id }) => id);
}
