/**
 * A worker takes jobs: many in one statement, in the order of one index that holds only pending rows.
 * What follows is in job-settle.ts.
 */

import type { JsonObject } from "../base/json.js";
import type { HeldJob } from "../job/job.js";
import { INTERNAL_KINDS, SAFE_MODE_KINDS } from "../job/kinds.js";
import type { Sql } from "./database.js";
import { rankOf } from "./job-columns.js";
import { numberList, textList } from "./sql-lists.js";

/** Where a job stood in the order of its kind, from first to last by rank, due time and number. */
export interface ClaimPlace {
  readonly rank: number;
  /** When it was due, in seconds since 2000. */
  readonly dueS: number;
  readonly seq: number;
}

export type ClaimedJob = HeldJob & ClaimPlace;

export interface KindClaim {
  readonly kind: string;
  /** Jobs of the kind at most, within all limits. */
  readonly free: number;
  /** What stands before is not looked at; by default the look begins at the front. */
  readonly from?: ClaimPlace | null;
}

export interface ClaimOptions {
  readonly workerId: string;
  readonly kinds: readonly KindClaim[];
  /** Jobs at most in this claim. */
  readonly max: number;
  /** There are many jobs to choose from: the claim before found as many as it wanted. Only then `from` is heeded. */
  readonly isBacklog?: boolean;
}

const RANK = rankOf("jobs");
const EPOCH = "timestamptz '2000-01-01 00:00:00+00'";
/** No due row of a priority of 0 or more ranks later; the scan ends here, before the rows of the future. */
const RANK_NOW = `date_part('epoch', now() - ${EPOCH})`;

interface ClaimText {
  /** How the value of a place is written. */
  readonly value: (place: number) => string;
  /** Kinds and their room as `w`, with the place that each is looked at from. */
  readonly open: string;
  /** Passes over what stands before that place. */
  readonly after: string;
}

/**
 * By ctid and nothing else: the rows are locked, so it cannot change, and no plan can look them up in a worse way.
 * A condition on the status would offer the index of runnable rows to a planner whose statistics know of none.
 */
const claimText = ({ value, open, after }: ClaimText) => `
WITH open AS (
  ${open}
  WHERE w.kind IN (${textList(INTERNAL_KINDS)}) OR (
    NOT EXISTS (SELECT FROM control.queue_pause p
                WHERE p.job_type IN (w.kind, '*') AND (p.expires_at IS NULL OR p.expires_at > now()))
    AND (w.kind IN (${textList(SAFE_MODE_KINDS)}) OR NOT (SELECT active FROM control.safe_mode)))
)
UPDATE public.jobs SET status = 'running', worker_id = $4, fence = fence + 1, started_at = now(),
  attempts = attempts + 1, attempts_total = attempts_total + 1
WHERE ctid = ANY (ARRAY(
  SELECT due.ctid FROM open CROSS JOIN LATERAL (
    SELECT ctid, ${RANK} AS rank, scheduled_at, seq FROM public.jobs
    WHERE status = 'pending' AND job_type = open.kind AND ${RANK} <= ${RANK_NOW} AND scheduled_at <= now()
      ${after}
    ORDER BY ${RANK}, scheduled_at, seq
    LIMIT open.room
    FOR UPDATE SKIP LOCKED
  ) due
  ORDER BY due.rank, due.scheduled_at, due.seq LIMIT ${value(3)}::int))
RETURNING job_type AS kind, payload, concat_ws(' ', seq, attempts, fence, crash_count,
  date_part('epoch', created_at), ${RANK}, date_part('epoch', scheduled_at - ${EPOCH})) AS numbers`;

/** Only what is due since `-infinity`, by hand, has such a rank: it stands before all else, and no interval reaches there. */
const DUE = `CASE WHEN w.rank = '-infinity' THEN timestamptz '-infinity'
    ELSE ${EPOCH} + make_interval(secs => w.due) END`;

/** Planned anew for each claim: what was the best way through a short queue need not be through a long one. */
const CLAIM_FROM_BACKLOG = claimText({
  value: (place) => `$${place}`,
  open: `SELECT w.kind, least(w.room, $3::int) AS room, w.rank, ${DUE} AS due, w.seq
  FROM unnest($1::text[], $2::int[], $5::float8[], $6::float8[], $7::bigint[]) AS w(kind, room, rank, due, seq)`,
  after: `AND (${RANK}, scheduled_at, seq) >= (open.rank, open.due, open.seq)`,
});

/**
 * Looks from the front. Planned once: planning takes longer than the look itself. A value behind a SELECT of its own
 * tells the planner nothing, so knowing it promises no better plan, and after five executions the server keeps the one it has.
 */
const CLAIM_FEW = claimText({
  value: (place) => `(SELECT $${place})`,
  open: `SELECT w.kind, least(w.room, (SELECT $3)::int) AS room
  FROM unnest((SELECT $1)::text[], (SELECT $2)::int[]) AS w(kind, room)`,
  after: "",
});

/** All numbers stand in one text: a column costs more to describe and to read than a number to split off. */
interface ClaimedRow {
  readonly kind: string;
  readonly payload: JsonObject;
  readonly numbers: string;
}

type Numbers = [
  ...[seq: number, attempt: number, fence: number, crashCount: number],
  ...[createdS: number, rank: number, dueS: number],
];

/** Either way from 1970, as far as a date reaches: what is set by hand to `infinity` is claimed as any other. */
const TIME_MAX_MS = 8.64e15;

const FRONT: ClaimPlace = { rank: Number.NEGATIVE_INFINITY, dueS: 0, seq: 0 };

/**
 * Takes due jobs: larger priority and longer waiting first, a level being worth ten minutes. Honours pauses and
 * safe mode. Limits are the caller's: see capacity.ts. In the order of their ranks.
 */
export async function claimJobs(sql: Sql, options: ClaimOptions): Promise<ClaimedJob[]> {
  const open = options.kinds.filter(({ free }) => free > 0);
  if (open.length === 0 || options.max <= 0) return [];
  const wanted = [
    open.map(({ kind }) => kind),
    numberList(open.map(({ free }) => free)),
    options.max,
    options.workerId,
  ];
  const { rows } = options.isBacklog
    ? await sql.query<ClaimedRow>(
        CLAIM_FROM_BACKLOG,
        [...wanted, ...placesOf(open)],
        "claim-from-backlog",
      )
    : await sql.query<ClaimedRow>(CLAIM_FEW, wanted, "claim-few");
  return rows.map(toClaimedJob).sort((a, b) => a.rank - b.rank || a.seq - b.seq);
}

function placesOf(kinds: readonly KindClaim[]): string[] {
  const from = kinds.map((one) => one.from ?? FRONT);
  return [
    numberList(from.map(({ rank }) => rank)),
    numberList(from.map(({ dueS }) => dueS)),
    numberList(from.map(({ seq }) => seq)),
  ];
}

function toClaimedJob({ kind, payload, numbers }: ClaimedRow): ClaimedJob {
  const [seq, attempt, fence, crashCount, createdS, rank, dueS] = numbers
    .split(" ")
    .map(Number) as Numbers;
  const createdMs = Math.round(createdS * 1000);
  return {
    seq,
    id: `job-${seq}`,
    kind,
    payload,
    attempt,
    fence,
    crashCount,
    createdAt: new Date(Math.max(-TIME_MAX_MS, Math.min(createdMs, TIME_MAX_MS))),
    rank,
    dueS,
  };
}
