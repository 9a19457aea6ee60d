/** Keys that mean more than "one at a time": taken for a time whatever becomes of the job, or taken over by the newest. */
import { fault } from "../base/fault.js";
import type { Sql } from "./database.js";
import { type Enqueued, enqueueJob, type NewJob } from "./jobs.js";

export interface KeyedJob extends NewJob {
  readonly uniqueKey: string;
}

/**
 * At most one job of this key in `holdMs`, also after it has ended: for what many tell at once. While the key is
 * held, its holder is the answer. One statement, so it may run in any transaction.
 */
export async function enqueueOncePer(sql: Sql, job: KeyedJob, holdMs: number): Promise<Enqueued> {
  const { rows } = await sql.query<{ seq: number; created: boolean }>(
    `WITH held AS (
       INSERT INTO control.unique_hold AS h (unique_key, job_seq, until)
       VALUES ($1, nextval(pg_get_serial_sequence('public.jobs', 'seq')), now() + $2 * interval '1 ms')
       ON CONFLICT (unique_key) DO UPDATE SET job_seq = excluded.job_seq, until = excluded.until WHERE h.until <= now()
       RETURNING job_seq
     ), inserted AS (
       INSERT INTO public.jobs (seq, job_type, payload, priority, scheduled_at, parent_seq, requested_by)
       OVERRIDING SYSTEM VALUE
       SELECT job_seq, $3, $4::jsonb, coalesce($5, 5), coalesce($6, now()), $7, $8 FROM held
       RETURNING seq
     )
     SELECT seq, true AS created FROM inserted
     UNION ALL
     SELECT h.job_seq, false FROM control.unique_hold h WHERE h.unique_key = $1 AND NOT EXISTS (SELECT FROM held)`,
    [job.uniqueKey, holdMs, ...columnsOf(job), job.parentSeq ?? null, job.requestedBy ?? null],
  );
  const answer = rows[0];
  // Another took the key after our snapshot: ask again, and it is the answer.
  if (answer === undefined) return enqueueOncePer(sql, job, holdMs);
  return { ...answer, id: `job-${answer.seq}` };
}

/** Tries are over when the key is taken and released by others each time in between. */
const TRIES_MAX = 10;

/**
 * The newest counts: a job of this key that still waits becomes this one, and what was tried before is not held against it; one that runs is let be, and this one
 * waits for its turn with the key. Run it in a transaction of the caller.
 */
export async function enqueueNewest(tx: Sql, job: KeyedJob): Promise<Enqueued> {
  for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
    const { rows } = await tx.query<{ seq: number }>(
      `UPDATE public.jobs SET job_type = $2, payload = $3::jsonb, priority = coalesce($4, 5),
         scheduled_at = coalesce($5, now()), parent_seq = $6, requested_by = $7,
         attempts = 0, crash_count = 0, error = NULL, fence = fence + 1
       WHERE unique_key = $1 AND status = 'pending' RETURNING seq`,
      [job.uniqueKey, ...columnsOf(job), job.parentSeq ?? null, job.requestedBy ?? null],
    );
    const [replaced] = rows;
    if (replaced) return { seq: replaced.seq, id: `job-${replaced.seq}`, created: false };
    await tx.query(
      "UPDATE public.jobs SET unique_key = NULL WHERE unique_key = $1 AND status = 'running'",
      [job.uniqueKey],
    );
    const enqueued = await enqueueJob(tx, job);
    if (enqueued.created) return enqueued;
  }
  throw fault.transient("ENQUEUE_CONTENDED", "the unique key is taken and released at once");
}

function columnsOf(job: NewJob): readonly unknown[] {
  return [
    job.kind,
    JSON.stringify(job.payload),
    job.priority ?? null,
    job.scheduledAt?.toISOString() ?? null,
  ];
}

/** Those of the keys whose job stands in quarantine: it waits for a person, and another would only join it. */
export async function findQuarantinedKeys(
  sql: Sql,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set();
  const { rows } = await sql.query<{ key: string }>(
    `SELECT DISTINCT unique_key AS key FROM public.jobs WHERE status = 'quarantined' AND unique_key = ANY ($1::text[])`,
    [keys],
  );
  return new Set(rows.map(({ key }) => key));
}
