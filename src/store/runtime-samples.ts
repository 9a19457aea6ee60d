/** What the runtime measures of itself in the database, for samples (HB-met-01, -02, -04, -06, HB-heal-11). */
import { INTERNAL_KINDS, PUBLIC_KINDS } from "../job/kinds.js";
import { ask, askRows } from "./ask-together.js";
import type { Sql } from "./database.js";
import { seqOf } from "./job-columns.js";

export interface KindLoad {
  readonly kind: string;
  /** Due and waiting. */
  readonly pending: number;
  readonly running: number;
}

/** The twelve public kinds, empty ones as zeros. Reads only rows that are not finished. */
export async function readKindLoad(sql: Sql): Promise<KindLoad[]> {
  const { rows } = await sql.query<KindLoad>(
    // Each from its own index: finished rows, however many, are not looked at.
    `WITH running AS (
       SELECT job_type, count(*)::int AS count FROM public.jobs WHERE status = 'running' GROUP BY job_type
     )
     SELECT kind, coalesce(r.count, 0) AS running,
       (SELECT count(*)::int FROM public.jobs j
        WHERE j.status = 'pending' AND j.job_type = kind AND j.scheduled_at <= now()) AS pending
     FROM unnest($1::text[]) WITH ORDINALITY AS known(kind, place)
     LEFT JOIN running r ON r.job_type = kind ORDER BY place`,
    [PUBLIC_KINDS],
  );
  return rows;
}

export interface KindOutcome {
  readonly kind: string;
  readonly completed: number;
  /** Failed and quarantined. */
  readonly failed: number;
  /** In the unit of the kind's target: completed jobs, of gc the rows that went (HB-wrk-07). */
  readonly done: number;
}

/** What a gc job says it has deleted; a dry run deletes nothing. */
const GC_ROWS = `(
  SELECT coalesce(sum(count::bigint), 0) FROM jsonb_each_text(
    CASE WHEN result @> '{"dry_run": false}' AND jsonb_typeof(result -> 'rows') = 'object'
      THEN result -> 'rows' ELSE '{}' END) AS deleted (entity, count))`;

/** How jobs ended within the window; the twelve public kinds, empty ones as zeros. */
export async function readKindOutcomes(sql: Sql, windowMs: number): Promise<KindOutcome[]> {
  const { rows } = await sql.query<KindOutcome>(
    `SELECT kind, count(*) FILTER (WHERE status = 'completed')::int AS completed,
       count(*) FILTER (WHERE status IN ('failed', 'quarantined'))::int AS failed,
       coalesce(sum(CASE WHEN kind = 'gc' THEN ${GC_ROWS} ELSE 1 END) FILTER (WHERE status = 'completed'), 0)::float8 AS done
     FROM unnest($1::text[]) WITH ORDINALITY AS known(kind, place)
     LEFT JOIN public.jobs ON job_type = kind AND completed_at > now() - $2 * interval '1 ms'
     GROUP BY kind, place ORDER BY place`,
    [PUBLIC_KINDS, windowMs],
  );
  return rows;
}

/** Seconds for which the oldest quarantined job has waited for a person; 0 when none does. */
export function readQuarantineAge(sql: Sql): Promise<number> {
  return ask<number>(sql, {
    name: "jobs.quarantine-age",
    sql: `(SELECT coalesce(extract(epoch FROM now() - min(completed_at)), 0)::float8
      FROM public.jobs WHERE status = 'quarantined')`,
  });
}

/** Hosts with a worker process that beat within this time and takes public kinds: on ECS a task is a host. */
export async function countWorkerHosts(sql: Sql, deadAfterMs: number): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(DISTINCT hostname)::int AS count FROM public.workers
     WHERE status IN ('alive', 'draining') AND last_heartbeat > now() - $1 * interval '1 ms' AND kinds && $2::text[]`,
    [deadAfterMs, PUBLIC_KINDS],
  );
  return rows[0]!.count;
}

export interface HealingCount {
  readonly actions: number;
  /** Of those whose outcome is known. */
  readonly judged: number;
  readonly recovered: number;
}

/** Healing actions on public jobs within the window. */
export async function countHealingActions(sql: Sql, windowMs: number): Promise<HealingCount> {
  const { rows } = await sql.query<HealingCount>(
    `SELECT count(*)::int AS actions, count(*) FILTER (WHERE success)::int AS recovered,
       count(success)::int AS judged FROM public.healdec_log l
     WHERE l.created_at > now() - $1 * interval '1 ms'
       AND NOT EXISTS (SELECT FROM public.jobs j WHERE j.seq = ${seqOf("l.job_id")} AND j.job_type = ANY ($2))`,
    [windowMs, INTERNAL_KINDS],
  );
  return rows[0]!;
}

export interface Connections {
  /** Sessions of our own pools, by application name. */
  readonly ours: number;
  /** Sessions of whomever on this server. */
  readonly server: number;
  readonly serverMax: number;
}

export async function readConnections(sql: Sql): Promise<Connections> {
  const [counted] = await askRows<Connections>(
    sql,
    "database.connections",
    `SELECT count(*) FILTER (WHERE application_name LIKE 'algobrain%' AND datname = current_database())::int AS ours,
       count(*)::int AS server, current_setting('max_connections')::int AS "serverMax"
     FROM pg_stat_activity WHERE backend_type = 'client backend'`,
  );
  return counted!;
}

export interface DatabaseSize {
  readonly bytes: number;
  /** Since the statistics of the database began, done or undone. */
  readonly transactions: number;
}

/** The size is that of its files on disk; looking takes longer the more of them there are. */
export async function readDatabaseSize(sql: Sql): Promise<DatabaseSize> {
  const [size] = await askRows<DatabaseSize>(
    sql,
    "database.size",
    `SELECT pg_database_size(datid)::float8 AS bytes, (xact_commit + xact_rollback)::float8 AS transactions
     FROM pg_stat_database WHERE datname = current_database()`,
  );
  return size!;
}

/** When a run (RB-13) or maintenance last took a backup and read it back; null: none ever did. A dry run takes none. */
export function readBackupProvenAt(sql: Sql): Promise<Date | null> {
  return ask<Date | null>(sql, {
    name: "backup.proven",
    sql: `greatest(
      (SELECT max(ended_at) FROM control.run
       WHERE runbook = 'backup-database' AND status = 'succeeded' AND verified AND NOT dry_run),
      (SELECT max(at) FROM control.maintenance_report WHERE kind = 'backup' AND ok))`,
  });
}

/** The time of the orchestrator's last cycle, in epoch seconds. */
export const HEARTBEAT_METRIC = "algobrain.orchestrator.heartbeat";
