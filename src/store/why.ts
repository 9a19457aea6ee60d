/** What is known about a job that does not run, read in one round trip for job/why. */
import type { Job } from "../job/job.js";
import { INTERNAL_KINDS, SAFE_MODE_KINDS } from "../job/kinds.js";
import type { PauseFact, WhyFacts } from "../job/why-facts.js";
import type { PolicySet } from "../policy/policy.js";
import type { Sql } from "./database.js";
import { rankOf } from "./job-columns.js";
import { ALL_QUEUES } from "./pauses.js";

export interface WhyQuestion {
  readonly seq: number;
  /** In force. */
  readonly policy: PolicySet;
  /** ORCHESTRATOR_MAX_CONCURRENT_JOBS; null: unknown to the asker. */
  readonly cap: number | null;
}

interface Row
  extends Pick<
    WhyFacts,
    "now" | "safeMode" | "workers" | "running" | "ahead" | "dependency" | "rollback" | "holder"
  > {
  readonly job: Omit<Job, "scheduledAt" | "startedAt" | "completedAt">;
  readonly scheduledAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly pauses: readonly {
    readonly kind: string;
    readonly reason: string;
    readonly by: string;
    readonly until: string | null;
  }[];
  /** Of the kind's bucket, as of that many milliseconds ago; null: nothing has started under a rate yet. */
  readonly bucket: { readonly tokens: number; readonly ageMs: number } | null;
}

const BEATS = "w.last_heartbeat > now() - $2 * interval '1 ms'";

const FACTS = `
SELECT now() AS now, job.scheduled_at AS "scheduledAt", job.started_at AS "startedAt", job.completed_at AS "completedAt",
  jsonb_build_object('id', job.id, 'kind', job.job_type, 'status', job.status, 'workerId', job.worker_id,
    'error', job.error, 'attempts', job.attempts) AS job,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
     'kind', p.job_type, 'reason', p.reason, 'by', p.paused_by, 'until', p.expires_at)), '[]')
   FROM control.queue_pause p
   WHERE p.job_type IN (job.job_type, '${ALL_QUEUES}') AND (p.expires_at IS NULL OR p.expires_at > now())) AS pauses,
  (SELECT jsonb_build_object('reason', s.reason, 'by', s.entered_by) FROM control.safe_mode s
   WHERE s.active AND job.job_type <> ALL ($3)) AS "safeMode",
  (SELECT count(*) FROM public.workers w
   WHERE w.status = 'alive' AND ${BEATS} AND w.kinds @> ARRAY[job.job_type]) AS workers,
  (SELECT jsonb_build_object('ofKind', count(*) FILTER (WHERE r.job_type = job.job_type),
     'inAll', count(*) FILTER (WHERE r.job_type <> ALL ($4)))
   FROM public.jobs r WHERE r.status = 'running') AS running,
  (SELECT count(*) FROM public.jobs other
   WHERE job.status = 'pending' AND job.scheduled_at <= now()
     AND other.status = 'pending' AND other.job_type = job.job_type AND other.scheduled_at <= now()
     AND (${rankOf("other")}, other.scheduled_at, other.seq) < (${rankOf("job")}, job.scheduled_at, job.seq)) AS ahead,
  (SELECT jsonb_build_object('tokens', b.tokens, 'ageMs', extract(epoch FROM now() - b.updated_at) * 1000)
   FROM control.rate_bucket b WHERE b.job_type = job.job_type) AS bucket,
  (SELECT jsonb_build_object('name', d.name, 'reason', d.reason) FROM control.dependency d
   WHERE (d.state = 'open' OR d.gate_until > now()) AND strpos(lower(last.error), lower(d.name)) > 0
   ORDER BY length(d.name) DESC LIMIT 1) AS dependency,
  (SELECT jsonb_build_object('code', r.code) FROM control.rollback r WHERE r.job_seq = job.seq) AS rollback,
  (SELECT jsonb_build_object('alive', w.status IN ('alive', 'draining') AND ${BEATS}, 'begun', CASE
     WHEN w.engine >= 2 AND w.last_heartbeat > job.started_at THEN job.seq = ANY (coalesce(w.started_jobs, '{}')) END)
   FROM public.workers w WHERE job.status = 'running' AND w.id = job.worker_id) AS holder
FROM public.jobs job
LEFT JOIN LATERAL (
  SELECT a.outcome, a.error FROM control.job_attempt a WHERE a.job_seq = job.seq ORDER BY a.fence DESC LIMIT 1
) last ON last.outcome = 'waiting'
WHERE job.seq = $1`;

/** Null when there is no such job. */
export async function readWhyFacts(sql: Sql, question: WhyQuestion): Promise<WhyFacts | null> {
  const { seq, policy, cap } = question;
  const passing = [...SAFE_MODE_KINDS, ...INTERNAL_KINDS];
  const { rows } = await sql.query<Row>(FACTS, [
    ...[seq, policy.healing.workerDeadAfterMs, passing, INTERNAL_KINDS],
  ]);
  const [row] = rows;
  if (!row) return null;
  const { pauses, bucket, scheduledAt, startedAt, completedAt, ...facts } = row;
  const { kind } = row.job;
  const rules = policy.workers[kind] ?? null;
  const internal = (INTERNAL_KINDS as readonly string[]).includes(kind);
  return {
    ...facts,
    job: { ...row.job, scheduledAt, startedAt, completedAt },
    ...{ internal, cap, rules },
    rate: rateOf(rules?.rateLimit, bucket),
    pause: internal ? null : pauseOf(pauses, kind),
    pauseOfAll: internal ? null : pauseOf(pauses, ALL_QUEUES),
  };
}

/** A policy that an older version has published knows no rates. */
function rateOf(
  limit: { readonly max: number; readonly perMs: number } | null | undefined,
  bucket: Row["bucket"],
): WhyFacts["rate"] {
  if (!limit) return null;
  const { max, perMs } = limit;
  const tokens =
    bucket === null ? max : Math.min(max, bucket.tokens + (bucket.ageMs * max) / perMs);
  return { tokens, max, perMs };
}

function pauseOf(pauses: Row["pauses"], wanted: string): PauseFact | null {
  const found = pauses.find(({ kind }) => kind === wanted);
  if (!found) return null;
  const { reason, by, until } = found;
  return { reason, by, until: until === null ? null : new Date(until) };
}
