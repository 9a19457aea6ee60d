/**
 * What is old enough to go (HB-cfg-01…04). One predicate an entity serves the count of a dry run, the
 * preview of a pull request and the deletion itself, so that they cannot disagree.
 */
import { INTERNAL_KINDS } from "../job/kinds.js";
import type { Sql } from "./database.js";

export const RETAINED_ENTITIES = [
  "events",
  "jobs",
  "quarantined_jobs",
  "healdec_log",
  "samples",
] as const;
export type RetainedEntity = (typeof RETAINED_ENTITIES)[number];

/** A statement deletes no more than this, so that it never holds locks for long. */
const RETENTION_BATCH_ROWS = 1_000;

interface RetentionRule {
  readonly table: string;
  readonly key: string;
  /** `$1` is the time before which a row is too old. */
  readonly isExpired: string;
  /** What goes with the rows, by their keys in `gone`. */
  readonly also?: string;
}

/** Runbook runs and notices are outside of GC by kind (design 8.3). */
const PUBLIC_JOB = `job_type NOT IN (${INTERNAL_KINDS.map((kind) => `'${kind}'`).join(", ")})`;
const COMPENSATIONS =
  "DELETE FROM control.compensation WHERE job_seq IN (SELECT seq FROM gone) RETURNING job_seq";

const RULES: Readonly<Record<RetainedEntity, RetentionRule>> = {
  events: { table: "public.events", key: "id", isExpired: "created_at < $1" },
  jobs: {
    table: "public.jobs",
    key: "seq",
    isExpired: `status IN ('completed', 'failed', 'cancelled') AND completed_at < $1 AND ${PUBLIC_JOB}`,
    also: COMPENSATIONS,
  },
  quarantined_jobs: {
    table: "public.jobs",
    key: "seq",
    isExpired: `status = 'quarantined' AND completed_at < $1 AND ${PUBLIC_JOB}`,
    also: COMPENSATIONS,
  },
  healdec_log: { table: "public.healdec_log", key: "seq", isExpired: "created_at < $1" },
  samples: { table: "control.sample", key: "series_id, at", isExpired: "at < $1" },
};

/** How many rows of the entity are older than `before`. */
export async function countExpired(
  sql: Sql,
  entity: RetainedEntity,
  before: Date,
): Promise<number> {
  const { table, isExpired } = RULES[entity];
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*) AS count FROM ${table} WHERE ${isExpired}`,
    [before],
  );
  return rows[0]?.count ?? 0;
}

/** Deletes one batch and returns its size; 0 means that nothing is left. Rows that others hold wait for the next time. */
export async function deleteExpired(
  sql: Sql,
  entity: Exclude<RetainedEntity, "quarantined_jobs">,
  before: Date,
): Promise<number> {
  const { table, key, isExpired, also } = RULES[entity];
  const { rows } = await sql.query<{ count: number }>(
    `WITH gone AS (
       DELETE FROM ${table} WHERE (${key}) IN (
         SELECT ${key} FROM ${table} WHERE ${isExpired}
         LIMIT ${RETENTION_BATCH_ROWS} FOR UPDATE SKIP LOCKED)
       RETURNING ${key}
     )${also ? `, also AS (${also})` : ""}
     SELECT count(*) AS count FROM gone`,
    [before],
  );
  return rows[0]?.count ?? 0;
}

export interface QuarantinedRow {
  readonly seq: number;
  /** The whole row as one line of JSON. */
  readonly line: string;
}

/** One batch of expired quarantined jobs, locked until the caller's transaction ends: export them, then `deleteJobs` (X-07). */
export async function lockExpiredQuarantined(tx: Sql, before: Date): Promise<QuarantinedRow[]> {
  const { rows } = await tx.query<QuarantinedRow>(
    `SELECT seq, to_jsonb(jobs)::text AS line FROM public.jobs
     WHERE ${RULES.quarantined_jobs.isExpired}
     ORDER BY seq LIMIT ${RETENTION_BATCH_ROWS} FOR UPDATE SKIP LOCKED`,
    [before],
  );
  return rows;
}

export async function deleteJobs(tx: Sql, seqs: readonly number[]): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    `WITH gone AS (DELETE FROM public.jobs WHERE seq = ANY ($1) RETURNING seq), also AS (${COMPENSATIONS})
     SELECT count(*) AS count FROM gone`,
    [seqs],
  );
  return rows[0]?.count ?? 0;
}
