/**
 * What is old enough to go (HB-cfg-01…04). One predicate an entity serves the count of a dry run, the
 * preview of a pull request and the deletion itself, so that they cannot disagree.
 */
import { INTERNAL_KINDS } from "../job/kinds.js";
import type { Sql } from "./database.js";
import type { RetainedEntity } from "./retained-entities.js";
import { countExpiredSamples } from "./sample-retention.js";
import { textList } from "./sql-lists.js";

/** Leave for a file before they are deleted. */
export type ExportedEntity = "quarantined_jobs" | "audit_log";

/** Rows a statement, unless told otherwise: few enough that it never holds locks for long. */
export const BATCH_ROWS = 1_000;

interface RetentionRule {
  readonly table: string;
  readonly key: string;
  /** `$1` is the time before which a row is too old. */
  readonly isExpired: string;
  /**
   * An indexed column, as a rule the time by which rows grow old: a batch begins where the last one ended and steps
   * over no row that is gone already, which an old snapshot would keep in the index. None: the table is small.
   */
  readonly walksBy?: string;
  /** What goes with the rows, by their keys in `gone`: a statement each. What belongs to a job goes by a trigger. */
  readonly also?: readonly string[];
}

/** Runbook runs and notices are outside of GC by kind (design 8.3). */
const IS_INTERNAL = `job_type IN (${textList(INTERNAL_KINDS)})`;
const IS_ENDED = "status IN ('completed', 'failed', 'cancelled') AND completed_at < $1";
const JOBS = {
  table: "public.jobs",
  key: "seq",
  walksBy: "completed_at",
} as const;
/** Of policy revisions, however old: the newest is the one in force, and these are the way back. */
const REVISIONS_KEPT = 20;

/** Claims of people who were forgotten are folded into this one: it stays. */
const FORGOTTEN_ID = "person-forgotten";
/** A person and all who were merged into it grow old together: as long as one of them is in use, all stay. */
const hasClaims = (identity: string) =>
  `EXISTS (SELECT FROM public.claims c WHERE c.identity_id = ${identity}.id)`;

const RULES: Readonly<Record<RetainedEntity, RetentionRule>> = {
  events: {
    table: "public.events",
    key: "id",
    walksBy: "created_at",
    isExpired: "created_at < $1",
  },
  jobs: { ...JOBS, isExpired: `${IS_ENDED} AND NOT ${IS_INTERNAL}` },
  // Of the internal kinds too: whatever waits for a person is on file before it goes.
  quarantined_jobs: { ...JOBS, isExpired: "status = 'quarantined' AND completed_at < $1" },
  runs: {
    table: "control.run",
    key: "seq",
    walksBy: "ended_at",
    isExpired: "status NOT IN ('queued', 'running') AND ended_at < $1",
    also: ["DELETE FROM control.run_step WHERE run_seq IN (SELECT seq FROM gone)"],
  },
  // Not while what it was for is open: a reset of the job would take that up again.
  internal_jobs: {
    ...JOBS,
    isExpired: `${IS_ENDED} AND ${IS_INTERNAL}
      AND NOT EXISTS (SELECT FROM control.run r WHERE r.job_seq = jobs.seq AND r.status IN ('queued', 'running'))
      AND NOT EXISTS (SELECT FROM control.notice n WHERE n.job_seq = jobs.seq AND n.status = 'pending')
      AND NOT EXISTS (SELECT FROM control.inbound i WHERE i.job_seq = jobs.seq AND i.status = 'received')`,
  },
  healdec_log: {
    table: "public.healdec_log",
    key: "seq",
    walksBy: "created_at",
    isExpired: "created_at < $1",
  },
  // Of the versions that knew only rows; chunks and rounds: store/sample-retention.
  samples: {
    table: "control.sample",
    key: "series_id, at",
    walksBy: "at",
    isExpired: "at < $1",
  },
  inbound: {
    table: "control.inbound",
    key: "id",
    walksBy: "handled_at",
    isExpired: "status <> 'received' AND handled_at < $1",
  },
  notices: {
    table: "control.notice",
    key: "id",
    walksBy: "created_at",
    isExpired: "status <> 'pending' AND created_at < $1",
  },
  alert_events: { table: "control.alert_event", key: "id", walksBy: "at", isExpired: "at < $1" },
  silences: { table: "control.silence", key: "id", walksBy: "ends_at", isExpired: "ends_at < $1" },
  // Of the adopted bundle too, however much came after it: it is what is meant when people name its revision.
  policy_revisions: {
    table: "control.policy_revision",
    key: "revision",
    isExpired: `created_at < $1 AND revision NOT IN (
        SELECT revision FROM control.policy_revision ORDER BY revision DESC LIMIT ${REVISIONS_KEPT})
      AND NOT EXISTS (SELECT FROM control.policy_bundle b WHERE b.in_force = policy_revision.revision
        AND b.status = 'adopted')`,
  },
  // The newest stay, whatever became of them: by them an old one that is published again is known.
  policy_bundles: {
    table: "control.policy_bundle",
    key: "revision",
    isExpired: `published_at < $1 AND status IN ('superseded', 'refused', 'rolled-back') AND revision NOT IN (
      SELECT revision FROM control.policy_bundle ORDER BY revision DESC LIMIT ${REVISIONS_KEPT})`,
  },
  policy_refusals: { table: "control.policy_refusal", key: "id", isExpired: "at < $1" },
  policy_processes: { table: "control.policy_process", key: "process", isExpired: "seen_at < $1" },
  policy_overrides: { table: "control.policy_override", key: "id", isExpired: "ended_at < $1" },
  config_changes: {
    table: "control.config_change",
    key: "key",
    isExpired: "status IN ('merged', 'closed', 'failed') AND updated_at < $1",
  },
  // From then on the token has ended by itself.
  revoked_tokens: { table: "control.revoked_token", key: "jti", isExpired: "until < $1" },
  workers: {
    table: "public.workers",
    key: "id",
    isExpired: `status IN ('stopped', 'dead') AND coalesce(stopped_at, last_heartbeat) < $1
      AND NOT EXISTS (SELECT FROM public.jobs j WHERE j.worker_id = workers.id AND j.status = 'running')`,
  },
  unique_holds: { table: "control.unique_hold", key: "unique_key", isExpired: "until < $1" },
  gc_previews: { table: "control.gc_preview", key: "job_seq, entity", isExpired: "at < $1" },
  // Not while a retry may still go on from the parts that are there.
  export_runs: {
    table: "control.export_run",
    key: "job_seq",
    isExpired: `coalesce(ended_at, as_of) < $1 AND NOT EXISTS (SELECT FROM public.jobs j
      WHERE j.seq = export_run.job_seq AND j.status IN ('pending', 'running'))`,
    also: ["DELETE FROM control.export_part WHERE job_seq IN (SELECT job_seq FROM gone)"],
  },
  // Of a parent that was cancelled or failed, and has gone itself, nothing is asked any more.
  backfills: {
    table: "control.backfill",
    key: "job_seq",
    isExpired: `(finished_at < $1 OR (last_day < $1 AND NOT EXISTS (
      SELECT FROM public.jobs j WHERE j.seq = backfill.job_seq)))`,
  },
  repair_records: { table: "control.repair_record", key: "id", isExpired: "at < $1" },
  audit_findings: { table: "control.audit_finding", key: "id", isExpired: "resolved_at < $1" },
  // The newest of each kind says when that was last done, however long ago.
  maintenance_reports: {
    table: "control.maintenance_report",
    key: "id",
    isExpired: `at < $1 AND id NOT IN (SELECT max(id) FROM control.maintenance_report GROUP BY kind)`,
  },
  github_pages: { table: "control.github_page", key: "url", isExpired: "fetched_at < $1" },
  github_permits: { table: "control.github_permit", key: "id", isExpired: "until < $1" },
  claims: {
    table: "public.claims",
    key: "id",
    walksBy: "id",
    isExpired: `repo_id IN (SELECT r.id FROM public.repos r WHERE r.archived AND r.updated_at < $1)`,
  },
  identities: {
    table: "public.identities",
    key: "id",
    walksBy: "id",
    isExpired: `updated_at < $1 AND id <> '${FORGOTTEN_ID}' AND NOT ${hasClaims("identities")}
      AND NOT EXISTS (SELECT FROM public.identities f
        WHERE f.merged_into = coalesce(identities.merged_into, identities.id) AND (f.updated_at >= $1 OR ${hasClaims("f")}))
      AND NOT EXISTS (SELECT FROM public.identities t
        WHERE t.id = identities.merged_into AND (t.updated_at >= $1 OR ${hasClaims("t")}))`,
    also: [
      // A merge always points at a row that is there; these are as old, and go with a later batch.
      "UPDATE public.identities SET merged_into = NULL WHERE merged_into IN (SELECT id FROM gone) AND id NOT IN (SELECT id FROM gone)",
      "DELETE FROM control.identity_merge WHERE identity_id IN (SELECT id FROM gone) OR target_id IN (SELECT id FROM gone)",
      "DELETE FROM control.identity_hint WHERE a IN (SELECT id FROM gone) OR b IN (SELECT id FROM gone)",
    ],
  },
  // Only ever the oldest, without a gap, so that the chain of the rest still holds.
  audit_log: {
    table: "public.audit_log",
    key: "seq",
    isExpired: `seq < coalesce(
      (SELECT l.seq FROM public.audit_log l WHERE l.created_at >= $1 ORDER BY l.created_at, l.seq LIMIT 1),
      (SELECT h.seq + 1 FROM control.audit_head h))`,
  },
};

/** How many rows of the entity are older than `before`; of samples not the rows count, but what they hold. */
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
  const further = entity === "samples" ? await countExpiredSamples(sql, before) : 0;
  return rows[0]!.count + further;
}

export interface Batch {
  readonly count: number;
  /** Where the next one begins; null where that does not matter. */
  readonly reached: string | null;
}

/**
 * Deletes one batch of at most `limit` rows, from where the last one reached; a count of 0 means that nothing is
 * left. Rows that others hold wait for the next time.
 */
export async function deleteExpired(
  sql: Sql,
  entity: Exclude<RetainedEntity, ExportedEntity>,
  before: Date,
  from: string | null = null,
  limit = BATCH_ROWS,
): Promise<Batch> {
  const rule = RULES[entity];
  const also = (rule.also ?? []).map((statement, i) => `, also_${i} AS (${statement})`);
  const { rows } = await sql.query<Batch>(
    `WITH batch AS MATERIALIZED (${selectBatch(rule, from)}),
     gone AS (
       DELETE FROM ${rule.table} WHERE (${rule.key}) IN (SELECT ${rule.key} FROM batch) RETURNING ${rule.key}
     )${also.join("")}
     SELECT (SELECT count(*) FROM gone) AS count, (SELECT max(walked)::text FROM batch) AS reached`,
    rule.walksBy && from !== null ? [before, limit, from] : [before, limit],
  );
  return rows[0]!;
}

function selectBatch({ table, key, isExpired, walksBy }: RetentionRule, from: string | null) {
  const onward = walksBy && from !== null ? `AND ${walksBy} >= $3` : "";
  const ordered = walksBy ? `ORDER BY ${walksBy}` : "";
  return `SELECT ${key}, ${walksBy ?? "NULL"} AS walked FROM ${table} WHERE ${isExpired} ${onward}
    ${ordered} LIMIT $2 FOR UPDATE SKIP LOCKED`;
}

export interface ExpiredRow {
  readonly seq: number;
  /** The whole row as one line of JSON. */
  readonly line: string;
}

/** One batch, oldest first, locked until the caller's transaction ends: export them, then `deleteExported`. */
export async function lockExpired(
  tx: Sql,
  entity: ExportedEntity,
  before: Date,
  limit = BATCH_ROWS,
): Promise<ExpiredRow[]> {
  const { table, isExpired } = RULES[entity];
  // Of the audit log none may be passed over: a gap would read as a broken chain.
  const others = entity === "audit_log" ? "" : "SKIP LOCKED";
  // Of a row that somebody moved since the look began, the newest version is judged before it is locked.
  const still = entity === "audit_log" ? "" : `AND ${isExpired}`;
  const { rows } = await tx.query<ExpiredRow>(
    `SELECT seq, to_jsonb(expired)::text AS line FROM ${table} AS expired
     WHERE seq IN (SELECT seq FROM ${table} WHERE ${isExpired} ORDER BY seq LIMIT $2) ${still}
     ORDER BY seq FOR UPDATE ${others}`,
    [before, limit],
  );
  return rows;
}

/** Of the audit log it also notes where the log begins now, for whoever verifies it. */
export async function deleteExported(
  tx: Sql,
  entity: ExportedEntity,
  seqs: readonly number[],
): Promise<number> {
  if (entity === "quarantined_jobs") return deleteJobs(tx, seqs);
  const { rowCount } = await tx.query("DELETE FROM public.audit_log WHERE seq = ANY ($1)", [seqs]);
  await tx.query(
    `UPDATE control.audit_head SET kept_from = greatest(kept_from, (SELECT max(seq) + 1 FROM unnest($1::bigint[]) seq))`,
    [seqs],
  );
  return rowCount;
}

/** These jobs, whatever their state, with what belongs to them. Returns how many there were. */
export async function deleteJobs(tx: Sql, seqs: readonly number[]): Promise<number> {
  const { rowCount } = await tx.query("DELETE FROM public.jobs WHERE seq = ANY ($1)", [seqs]);
  return rowCount;
}
