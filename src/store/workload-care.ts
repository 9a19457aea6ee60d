/** The work of this platform as runbooks may look at it: named statements with parameters. */
import type {
  BackfillView,
  DueRows,
  IdentityView,
  RepoView,
  UnscoredRepo,
  WorkloadReader,
} from "../runbook/workload-port.js";
import { findLatestScore } from "./active-repos.js";
import { countLostClaims } from "./claims.js";
import type { Sql } from "./database.js";
import { seqOf } from "./job-columns.js";
import { listIndexes } from "./maintenance.js";

export interface WorkloadLooks {
  /** By the retention in force. */
  due(sql: Sql): Promise<readonly DueRows[]>;
}

export function createWorkloadReader(sql: Sql, looks: WorkloadLooks): WorkloadReader {
  return {
    repo: (text) => findRepoView(sql, text),
    withoutScore: (ask) => listWithoutScore(sql, ask),
    backfills: (ask) => listBackfills(sql, ask),
    identities: (ids) => listIdentities(sql, ids),
    orphanedClaims: async () => (await countLostClaims(sql)).orphaned,
    invalidIndexes: async () =>
      (await listIndexes(sql)).filter((it) => !it.isValid).map((it) => it.qualified),
    due: () => looks.due(sql),
  };
}

async function findRepoView(sql: Sql, text: string): Promise<RepoView | null> {
  const { rows } = await sql.query<Omit<RepoView, "latestScore">>(
    `SELECT id, name, org, archived, location, head_commit AS "headCommit",
       EXISTS (SELECT FROM control.repo_source s WHERE s.repo_id = repos.id) AS "onGithub"
     FROM public.repos WHERE id = $1 OR name = $1 OR org || '/' || name = $1
     ORDER BY id = $1 DESC, id LIMIT 2`,
    [text],
  );
  const [found, twin] = rows;
  // A name that two have names neither.
  if (!found || (twin && found.id !== text)) return null;
  return { ...found, latestScore: await findLatestScore(sql, found.id) };
}

async function listWithoutScore(
  sql: Sql,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<{ count: number; repos: UnscoredRepo[] }> {
  const { rows } = await sql.query<UnscoredRepo & { count: number }>(
    `SELECT r.id, r.name, s.at AS "scoredAt", count(*) OVER ()::int AS count
     FROM public.repos r
     LEFT JOIN LATERAL (SELECT max(computed_at) AS at FROM public.scores WHERE repo_id = r.id) s ON true
     WHERE NOT r.archived AND coalesce(s.at, '-infinity') < now() - $1 * interval '1 day'
     ORDER BY s.at NULLS FIRST, r.id LIMIT $2`,
    [days, limit],
  );
  const repos = rows.map(({ id, name, scoredAt }) => ({ id, name, scoredAt }));
  return { count: rows[0]?.count ?? 0, repos };
}

async function listBackfills(
  sql: Sql,
  { sinceMs, jobId }: { readonly sinceMs: number; readonly jobId: string | null },
): Promise<BackfillView[]> {
  const { rows } = await sql.query<BackfillView>(
    `SELECT j.id AS "jobId", j.status, b.entity, b.first_day::text AS "firstDay", b.last_day::text AS "lastDay",
       b.planned, b.enqueued, b.finished_at AS "finishedAt",
       (SELECT coalesce(jsonb_object_agg(status, count), '{}') FROM (
          SELECT status, count(*) AS count FROM public.jobs c WHERE c.parent_seq = j.seq GROUP BY status) AS of) AS children
     FROM control.backfill b JOIN public.jobs j ON j.seq = b.job_seq
     WHERE ($2::text IS NULL AND j.created_at > now() - $1 * interval '1 ms') OR j.seq = ${seqOf("$2")}
     ORDER BY j.seq DESC LIMIT 50`,
    [sinceMs, jobId],
  );
  return rows;
}

async function listIdentities(sql: Sql, ids: readonly string[]): Promise<IdentityView[]> {
  const { rows } = await sql.query<IdentityView>(
    `SELECT i.id, i.name, regexp_replace(i.email, '^(.).*@', '\\1…@') AS mail, i.kind, i.merged_into AS "mergedInto",
       count(c.id)::int AS claims, coalesce(sum(c.commit_count), 0) AS commits
     FROM public.identities i LEFT JOIN public.claims c ON c.identity_id = i.id
     WHERE i.id = ANY ($1) GROUP BY i.id ORDER BY i.id`,
    [ids],
  );
  return rows;
}
