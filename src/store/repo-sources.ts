/**
 * What GitHub said last of each repository. A row goes by GitHub's own id, which stays the same over renames and
 * transfers, and moves only forward: an answer that is older than what is known changes nothing.
 */
import type { SourceRepo } from "../job/source-port.js";
import type { Sql } from "./database.js";

export interface StoredSource extends SourceRepo {
  /** Of the row in `repos`. */
  readonly id: string;
  /** When GitHub answered so. */
  readonly seenAt: Date;
  /** When it was found to be there no more; null: it is there. */
  readonly goneAt: Date | null;
}

/** What a record changed. Repositories of which something newer is known are not among them. */
export interface RecordedSource {
  readonly id: string;
  readonly isNew: boolean;
  /** Name, owner, branch or a mark of its state is another than before. */
  readonly isChanged: boolean;
  /** It was pushed to since it was seen last. */
  readonly isPushed: boolean;
  readonly hasScore: boolean;
  /** There is a copy in a folder of this machine: that folder says what becomes of the row. */
  readonly isLocal: boolean;
}

const COLUMNS = `repo_id AS id, host, github_id AS "githubId", owner, name, clone_url AS "cloneUrl",
  default_branch AS "defaultBranch", is_private AS "isPrivate", is_fork AS "isFork", is_archived AS "isArchived",
  false AS "isDisabled", size_kb AS "sizeKb", pushed_at AS "pushedAt", seen_at AS "seenAt", seen_at AS "updatedAt",
  gone_at AS "goneAt"`;

/** Null for a repository that is known only from a folder. */
export async function findSource(sql: Sql, repoId: string): Promise<StoredSource | null> {
  const { rows } = await sql.query<StoredSource>(
    `SELECT ${COLUMNS} FROM control.repo_source WHERE repo_id = $1`,
    [repoId],
  );
  return rows[0] ?? null;
}

/** Repositories whose owner is none of these, as after a transfer; longest unseen first. */
export async function listStrays(
  sql: Sql,
  of: { readonly host: string; readonly owners: readonly string[]; readonly limit: number },
): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `SELECT repo_id AS id FROM control.repo_source
     WHERE host = $1 AND gone_at IS NULL AND lower(owner) <> ALL ($2::text[])
     ORDER BY seen_at, repo_id LIMIT $3`,
    [of.host, of.owners, of.limit],
  );
  return rows.map(({ id }) => id);
}

/** Repositories of an owner that a complete listing did not have, longest unseen first. */
export async function listUnlisted(
  sql: Sql,
  of: { readonly host: string; readonly owner: string; readonly listedIds: readonly number[] },
): Promise<{ readonly known: number; readonly unlisted: StoredSource[] }> {
  const { rows } = await sql.query<StoredSource & { known: number }>(
    `SELECT ${COLUMNS}, known FROM (
       SELECT *, count(*) OVER () AS known FROM control.repo_source
       WHERE host = $1 AND lower(owner) = lower($2) AND gone_at IS NULL
     ) s WHERE github_id <> ALL ($3::bigint[]) ORDER BY seen_at, repo_id`,
    [of.host, of.owner, of.listedIds],
  );
  return { known: rows[0]?.known ?? 0, unlisted: rows.map(({ known: _, ...source }) => source) };
}

/** Held to the end of the transaction: two that record repositories of one host do so one after the other. */
export async function lockSources(tx: Sql, host: string): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('repo-source:' || $1, 0))", [host]);
}

/**
 * Keeps what GitHub answered at `seenAt`, with the rows of `repos`. Call it under `lockSources`, each id at most
 * once; a disabled repository counts as archived. What is as it was costs no write.
 */
export async function recordSources(
  tx: Sql,
  repos: readonly (SourceRepo & { readonly id: string })[],
  seenAt: Date,
): Promise<RecordedSource[]> {
  const { rows } = await tx.query<RecordedSource>(
    `WITH told AS (
       SELECT *, "isArchived" OR "isDisabled" AS closed FROM jsonb_to_recordset($1::jsonb) AS
         t(id text, host text, "githubId" bigint, owner text, name text, "cloneUrl" text, "defaultBranch" text,
           "isPrivate" boolean, "isFork" boolean, "isArchived" boolean, "isDisabled" boolean, "sizeKb" bigint,
           "pushedAt" timestamptz)
     ), judged AS (
       SELECT t.*, s.repo_id IS NULL AS is_new, s.pushed_at IS DISTINCT FROM t."pushedAt" AS is_pushed,
         (s.host, s.github_id, s.owner, s.name, s.clone_url, s.default_branch, s.is_private, s.is_fork,
           s.is_archived, s.gone_at) IS DISTINCT FROM (t.host, t."githubId", t.owner, t.name, t."cloneUrl",
           t."defaultBranch", t."isPrivate", t."isFork", t.closed, NULL::timestamptz) AS is_changed,
         s.size_kb IS DISTINCT FROM t."sizeKb" AS is_resized
       FROM told t LEFT JOIN control.repo_source s ON s.repo_id = t.id
       WHERE s.seen_at IS NULL OR s.seen_at <= $2
     ), source AS (
       INSERT INTO control.repo_source (repo_id, host, github_id, owner, name, clone_url, default_branch, is_private,
         is_fork, is_archived, size_kb, pushed_at, seen_at)
       SELECT id, host, "githubId", owner, name, "cloneUrl", "defaultBranch", "isPrivate", "isFork", closed,
         "sizeKb", "pushedAt", $2 FROM judged
       WHERE is_new OR is_pushed OR is_changed OR is_resized ORDER BY id
       ON CONFLICT (repo_id) DO UPDATE SET host = excluded.host, github_id = excluded.github_id,
         owner = excluded.owner, name = excluded.name, clone_url = excluded.clone_url,
         default_branch = excluded.default_branch, is_private = excluded.is_private, is_fork = excluded.is_fork,
         is_archived = excluded.is_archived, size_kb = excluded.size_kb, pushed_at = excluded.pushed_at,
         seen_at = excluded.seen_at, gone_at = NULL
     ), kept AS (
       INSERT INTO repos AS r (id, name, org, default_branch, archived, archived_as, indexed_at)
       SELECT j.id, j.name, j.owner, j."defaultBranch", j.closed, CASE WHEN j.closed THEN 'archived' END, now()
       FROM judged j LEFT JOIN repos was ON was.id = j.id
       WHERE j.is_new OR j.is_pushed OR j.is_changed OR was.id IS NULL
         OR (was.archived AND was.location IS NOT NULL) ORDER BY j.id
       -- A copy in a folder is that folder's to archive; one that has vanished from it is GitHub's again.
       ON CONFLICT (id) DO UPDATE SET name = excluded.name, org = excluded.org,
         location = CASE WHEN r.archived THEN NULL ELSE r.location END,
         root = CASE WHEN r.archived THEN NULL ELSE r.root END,
         default_branch = CASE WHEN r.location IS NULL OR r.archived
           THEN excluded.default_branch ELSE r.default_branch END,
         archived = CASE WHEN r.location IS NULL OR r.archived THEN excluded.archived ELSE false END,
         archived_as = CASE WHEN r.location IS NULL OR r.archived THEN excluded.archived_as END,
         indexed_at = now(), updated_at = now()
     )
     SELECT j.id, j.is_new AS "isNew", j.is_changed AS "isChanged", j.is_pushed AS "isPushed",
       EXISTS (SELECT FROM scores WHERE repo_id = j.id) AS "hasScore",
       EXISTS (SELECT FROM repos WHERE id = j.id AND location IS NOT NULL AND NOT archived) AS "isLocal"
     FROM judged j ORDER BY j.id`,
    [JSON.stringify(repos), seenAt],
  );
  return rows;
}

/**
 * It answers no more. A copy in a folder stays what it is; else its row is archived. False: that was known, or
 * something newer is.
 */
export async function markGone(tx: Sql, repoId: string, seenAt: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE control.repo_source SET gone_at = $2, seen_at = $2
     WHERE repo_id = $1 AND gone_at IS NULL AND seen_at <= $2`,
    [repoId, seenAt],
  );
  if (rowCount === 0) return false;
  await tx.query(
    `UPDATE repos SET archived = true, archived_as = 'deleted', updated_at = now()
     WHERE id = $1 AND (location IS NULL OR archived)`,
    [repoId],
  );
  return true;
}
