/** Jobs as callers see them: put one in, look at one. Moves are in job-claims and job-actions. */
import { fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import { type Job, PRIORITY_DEFAULT } from "../job/job.js";
import { type AuditEntry, readAuditOfTarget } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { EnqueueBatch } from "./enqueue-batch.js";
import { type HealingEntry, readHealingOfJob } from "./healing.js";
import { JOB_COLUMNS } from "./job-columns.js";

export interface NewJob {
  readonly kind: string;
  readonly payload: JsonObject;
  /** 10 is high, 1 is low; default 5 (HB-db-07). */
  readonly priority?: number | undefined;
  /** Not before; default now (HB-db-08). */
  readonly scheduledAt?: Date | undefined;
  /** While a job with this key is pending or running, that one is the answer. */
  readonly uniqueKey?: string | undefined;
  readonly parentSeq?: number | undefined;
  readonly requestedBy?: string | undefined;
}

export interface Enqueued {
  readonly seq: number;
  readonly id: string;
  /** False when a job with the same unique key was already waiting or running. */
  readonly created: boolean;
}

const ENQUEUE_TRIES_MAX = 10;

/** In the order of their keys, so that no two statements wait for each other's in a ring; the answers stand in the order of the jobs. */
const INSERT_JOBS = `
WITH wanted AS (
  SELECT ord, nextval(pg_get_serial_sequence('public.jobs', 'seq')) AS seq,
         w.kind, w.payload, coalesce(w.priority, ${PRIORITY_DEFAULT}) AS priority, w.scheduled_at, w.unique_key, w.parent_seq, w.requested_by
  FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS
    (kind text, payload jsonb, priority int, scheduled_at timestamptz, unique_key text, parent_seq bigint, requested_by text))
    WITH ORDINALITY AS w(kind, payload, priority, scheduled_at, unique_key, parent_seq, requested_by, ord)
), inserted AS (
  INSERT INTO public.jobs (seq, job_type, payload, priority, scheduled_at, unique_key, parent_seq, requested_by)
  OVERRIDING SYSTEM VALUE
  SELECT seq, kind, payload, priority, coalesce(scheduled_at, now()), unique_key, parent_seq, requested_by
  FROM wanted ORDER BY unique_key, ord
  ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND status IN ('pending', 'running') DO NOTHING
  RETURNING seq, unique_key
)
SELECT w.ord - 1 AS index, coalesce(i.seq, twin.seq, older.seq) AS seq, i.seq IS NOT NULL AS created
FROM wanted w
LEFT JOIN inserted i ON i.seq = w.seq
LEFT JOIN inserted twin ON twin.unique_key = w.unique_key
LEFT JOIN public.jobs older ON older.unique_key = w.unique_key AND older.status IN ('pending', 'running')
ORDER BY w.ord`;

/** What most jobs are: without a key there is no older one to find. The answers come in the order of the rows. */
const INSERT_PLAIN = `
INSERT INTO public.jobs (job_type, payload, priority, scheduled_at, parent_seq, requested_by)
SELECT kind, payload, coalesce(priority, ${PRIORITY_DEFAULT}), coalesce(scheduled_at, now()), parent_seq, requested_by
FROM jsonb_to_recordset($1::jsonb) AS
  w(kind text, payload jsonb, priority int, scheduled_at timestamptz, parent_seq bigint, requested_by text)
RETURNING seq`;

/** Those that enqueue at the same time on one database share a commit. */
const batches = new WeakMap<Database, EnqueueBatch<NewJob, Enqueued>>();

/** Runs inside the caller's transaction when given one. Throws a Fault `ENQUEUE_CONTENDED` only when a key is fought over. */
export async function enqueueJob(sql: Sql | Database, job: NewJob): Promise<Enqueued> {
  if (!("transaction" in sql)) return (await enqueueJobs(sql, [job]))[0]!;
  let batch = batches.get(sql);
  if (batch === undefined) {
    batch = new EnqueueBatch((jobs) => enqueueJobs(sql, jobs));
    batches.set(sql, batch);
  }
  return batch.enqueue(job);
}

/** All in one statement; the answers stand in the order of the jobs. */
export async function enqueueJobs(sql: Sql, jobs: readonly NewJob[]): Promise<Enqueued[]> {
  if (jobs.every(({ uniqueKey }) => uniqueKey === undefined)) return insertPlain(sql, jobs);
  const answers: Enqueued[] = [];
  let open = jobs.map((job, index) => ({ job, index }));
  for (let attempt = 1; open.length > 0; attempt++) {
    if (attempt > ENQUEUE_TRIES_MAX) {
      throw fault.transient("ENQUEUE_CONTENDED", "the unique key is taken and released at once");
    }
    const { rows } = await sql.query<{ index: number; seq: number | null; created: boolean }>(
      INSERT_JOBS,
      [JSON.stringify(open.map(({ job }) => toInput(job)))],
      "enqueue-jobs",
    );
    const unanswered: typeof open = [];
    for (const { index, seq, created } of rows) {
      const item = open[index]!;
      // The holder of the key came after our snapshot or has ended since: ask again.
      if (seq === null) unanswered.push(item);
      else answers[item.index] = { seq, id: `job-${seq}`, created };
    }
    open = unanswered;
  }
  return answers;
}

async function insertPlain(sql: Sql, jobs: readonly NewJob[]): Promise<Enqueued[]> {
  const { rows } = await sql.query<{ seq: number }>(
    INSERT_PLAIN,
    [JSON.stringify(jobs.map(toInput))],
    "insert-jobs",
  );
  return rows.map(({ seq }) => ({ seq, id: `job-${seq}`, created: true }));
}

/** What a job does not say is not sent: of many small ones it would be most of the text, and a fifth of the time. */
function toInput(job: NewJob): object {
  return {
    kind: job.kind,
    payload: job.payload,
    priority: job.priority,
    scheduled_at: job.scheduledAt?.toISOString(),
    unique_key: job.uniqueKey,
    parent_seq: job.parentSeq,
    requested_by: job.requestedBy,
  };
}

export async function readJob(sql: Sql, seq: number): Promise<Job | null> {
  const { rows } = await sql.query<Job>(
    `SELECT ${JOB_COLUMNS} FROM public.jobs WHERE jobs.seq = $1`,
    [seq],
  );
  return rows[0] ?? null;
}

/** What healing and people did to a job, oldest first. Outlives the job. */
export async function readJobHistory(
  sql: Sql,
  id: string,
): Promise<{ healing: HealingEntry[]; audit: AuditEntry[] }> {
  return { healing: await readHealingOfJob(sql, id), audit: await readAuditOfTarget(sql, id) };
}
