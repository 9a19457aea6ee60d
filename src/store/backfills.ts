/** How far each backfill came: a row a job, moved in the transaction that asks for its children. */
import type { Sql } from "./database.js";

export interface Backfill {
  readonly entity: string;
  /** yyyy-mm-dd, as all days here. */
  readonly firstDay: string;
  readonly lastDay: string;
  /**
   * What was asked for last, in the order of repository and day; before the first it is "" and null. Where one
   * repository is read page by page: the next page.
   */
  readonly atRepo: string;
  readonly atDay: string | null;
  /** What was missing when it began. */
  readonly planned: number;
  readonly enqueued: number;
  /** When everything had been asked for and had ended. */
  readonly finishedAt: Date | null;
}

const COLUMNS = `entity, first_day::text AS "firstDay", last_day::text AS "lastDay", at_repo AS "atRepo",
  at_day::text AS "atDay", planned, enqueued, finished_at AS "finishedAt"`;

export async function readBackfill(sql: Sql, jobSeq: number): Promise<Backfill | null> {
  const { rows } = await sql.query<Backfill>(
    `SELECT ${COLUMNS} FROM control.backfill WHERE job_seq = $1`,
    [jobSeq],
  );
  return rows[0] ?? null;
}

/** Held until the transaction ends: of two that run the same job, the second goes on where the first has come to. */
export async function lockBackfill(tx: Sql, jobSeq: number): Promise<Backfill> {
  const { rows } = await tx.query<Backfill>(
    `SELECT ${COLUMNS} FROM control.backfill WHERE job_seq = $1 FOR UPDATE`,
    [jobSeq],
  );
  return rows[0]!;
}

/** One that stands already is left as it is: the job was run before. */
export async function beginBackfill(
  sql: Sql,
  jobSeq: number,
  begun: Pick<Backfill, "entity" | "firstDay" | "lastDay" | "planned">,
): Promise<void> {
  await sql.query(
    `INSERT INTO control.backfill (job_seq, entity, first_day, last_day, planned)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (job_seq) DO NOTHING`,
    [jobSeq, begun.entity, begun.firstDay, begun.lastDay, begun.planned],
  );
}

export async function moveBackfill(
  tx: Sql,
  jobSeq: number,
  to: { readonly atRepo: string; readonly atDay: string | null; readonly enqueued: number },
): Promise<void> {
  await tx.query(
    `UPDATE control.backfill SET at_repo = $2, at_day = $3, enqueued = enqueued + $4 WHERE job_seq = $1`,
    [jobSeq, to.atRepo, to.atDay, to.enqueued],
  );
}

/** The first time counts. */
export async function finishBackfill(sql: Sql, jobSeq: number): Promise<void> {
  await sql.query(
    "UPDATE control.backfill SET finished_at = now() WHERE job_seq = $1 AND finished_at IS NULL",
    [jobSeq],
  );
}

/** How many children of a job are in each state; those that retention took are in none. */
export async function countChildren(sql: Sql, parentSeq: number): Promise<Map<string, number>> {
  const { rows } = await sql.query<{ status: string; count: number }>(
    "SELECT status, count(*) AS count FROM public.jobs WHERE parent_seq = $1 GROUP BY status",
    [parentSeq],
  );
  return new Map(rows.map(({ status, count }) => [status, count]));
}

/** Milliseconds that the oldest due job of a kind above this priority has waited; null: none is due. */
export async function oldestWaitMs(
  sql: Sql,
  kind: string,
  abovePriority: number,
): Promise<number | null> {
  const { rows } = await sql.query<{ waitMs: number | null }>(
    `SELECT (extract(epoch FROM now() - min(scheduled_at)) * 1000)::float8 AS "waitMs" FROM public.jobs
     WHERE status = 'pending' AND job_type = $1 AND priority > $2 AND scheduled_at <= now()`,
    [kind, abovePriority],
  );
  return rows[0]?.waitMs ?? null;
}

export interface FillableRepo {
  readonly id: string;
  /** The day of its first known commit; null: not known. */
  readonly bornOn: string | null;
}

export interface FillableRepos {
  /** Default: all. */
  readonly repoIds: readonly string[] | null;
  /** Whether forks are among them; those that are named always are. */
  readonly forks: boolean;
  /** From this id on. */
  readonly fromId: string;
  readonly isIncluded: boolean;
  readonly limit: number;
}

/** Repositories with a history that can be read, here or at GitHub, by id. Archived ones are not among them. */
export async function listFillableRepos(sql: Sql, of: FillableRepos): Promise<FillableRepo[]> {
  const { rows } = await sql.query<FillableRepo>(
    `SELECT r.id, to_char(born.at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "bornOn"
     FROM repos r
     LEFT JOIN control.repo_source s ON s.repo_id = r.id
     CROSS JOIN LATERAL (SELECT min(c.first_seen_at) AS at FROM claims c WHERE c.repo_id = r.id) born
     WHERE NOT r.archived AND r.id >= $1 AND ($5 OR r.id <> $1)
       AND (r.location IS NOT NULL OR s.repo_id IS NOT NULL AND s.gone_at IS NULL)
       AND ($2::text[] IS NULL AND ($3 OR s.is_fork IS NOT TRUE) OR r.id = ANY ($2))
     ORDER BY r.id LIMIT $4`,
    [of.fromId, of.repoIds, of.forks, of.limit, of.isIncluded],
  );
  return rows;
}

/** Ids of repositories that GitHub has, archived ones too: their past is still there. `limit` null: all. */
export async function listSourcedRepos(
  sql: Sql,
  of: {
    readonly repoIds: readonly string[] | null;
    readonly afterId: string;
    readonly limit: number | null;
  },
): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `SELECT repo_id AS id FROM control.repo_source
     WHERE gone_at IS NULL AND repo_id > $1 AND ($2::text[] IS NULL OR repo_id = ANY ($2))
     ORDER BY repo_id LIMIT $3`,
    [of.afterId, of.repoIds, of.limit],
  );
  return rows.map(({ id }) => id);
}

/** Of these ids, those that no row has; at most ten. */
export async function listUnknownRepos(sql: Sql, ids: readonly string[]): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `SELECT asked.id FROM unnest($1::text[]) AS asked(id)
     WHERE NOT EXISTS (SELECT FROM repos r WHERE r.id = asked.id) ORDER BY asked.id LIMIT 10`,
    [ids],
  );
  return rows.map(({ id }) => id);
}
