/** Where the rows of `repos` that GitHub keeps come from: one row a repository, whatever it is called today. */
import type { SourceRepo } from "../job/source-port.js";
import type { Sql } from "./database.js";

const COLUMNS = `host, github_id::float8 AS "githubId", owner, name, clone_url AS "cloneUrl",
  default_branch AS "defaultBranch", is_private AS "isPrivate", is_fork AS "isFork",
  is_archived AS "isArchived", false AS "isDisabled", size_kb::float8 AS "sizeKb",
  pushed_at AS "pushedAt", seen_at AS "updatedAt"`;

/** Null: it is no repository of GitHub's, or GitHub has it no more. */
export async function findSource(sql: Sql, repoId: string): Promise<SourceRepo | null> {
  const { rows } = await sql.query<SourceRepo>(
    `SELECT ${COLUMNS} FROM control.repo_source WHERE repo_id = $1 AND gone_at IS NULL`,
    [repoId],
  );
  return rows[0] ?? null;
}
