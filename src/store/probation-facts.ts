/** What happened since a policy came into force, and in the same time before: whether work stopped, how often people were paged. */
import { INTERNAL_KINDS } from "../job/kinds.js";
import type { Sql } from "./database.js";
import { ALL_QUEUES } from "./pauses.js";

export interface ProbationFacts {
  /** A public job has been due for a minute, nobody has paused its kind, and safe mode is off. */
  readonly waits: boolean;
  /** A public job was started or ended since. */
  readonly works: boolean;
  /** One was in the same time before. */
  readonly worked: boolean;
  /** Triggers to those who wake people, since and before. */
  readonly pages: number;
  readonly pagesBefore: number;
}

/** @param windowMs the time before that is compared */
export async function readProbationFacts(
  sql: Sql,
  asked: { readonly since: Date; readonly windowMs: number; readonly pagers: readonly string[] },
): Promise<ProbationFacts> {
  const { rows } = await sql.query<ProbationFacts>(
    `WITH span AS (SELECT $1::timestamptz AS since, $1::timestamptz - $2 * interval '1 ms' AS before)
     SELECT
       EXISTS (SELECT FROM public.jobs j WHERE status = 'pending' AND scheduled_at <= now() - interval '1 minute'
         AND job_type <> ALL ($4) AND NOT EXISTS (SELECT FROM control.safe_mode WHERE active)
         AND NOT EXISTS (SELECT FROM control.queue_pause p WHERE p.job_type IN (j.job_type, '${ALL_QUEUES}')
           AND (p.expires_at IS NULL OR p.expires_at > now()))) AS waits,
       EXISTS (SELECT FROM public.jobs WHERE status = 'running' AND started_at > since AND job_type <> ALL ($4))
         OR EXISTS (SELECT FROM public.jobs WHERE completed_at > since AND job_type <> ALL ($4)) AS works,
       EXISTS (SELECT FROM public.jobs WHERE completed_at > before AND completed_at <= since
         AND job_type <> ALL ($4)) AS worked,
       (SELECT count(*)::int FROM control.notice WHERE created_at > since
         AND action = 'trigger' AND receiver = ANY ($3)) AS pages,
       (SELECT count(*)::int FROM control.notice WHERE created_at > before AND created_at <= since
         AND action = 'trigger' AND receiver = ANY ($3)) AS "pagesBefore"
     FROM span`,
    [asked.since, asked.windowMs, asked.pagers, INTERNAL_KINDS],
  );
  return rows[0]!;
}
