/**
 * Room under limits that hold over all processes (X-09, HB-env-10), and starts under a rate. A process takes
 * room before it claims and gives back what it does not need, so a claim neither counts running rows nor
 * waits for the claims of others; the sum of what is granted never exceeds a limit.
 */
import { INTERNAL_KINDS } from "../job/kinds.js";
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";
import { CAPACITY_HINT } from "./notifications.js";

/** All public kinds together; the other scopes are the names of kinds. */
export const ALL_PUBLIC = "*";

export interface CapacityWish {
  readonly scope: string;
  /** Over all processes. */
  readonly cap: number;
  /** What this process holds now: never taken from it. */
  readonly held: number;
  /** What it would like to hold at most. */
  readonly wanted: number;
}

/** What the worker may hold from now on, by scope: between `held` and `wanted`. Nothing for one that is not alive. */
export async function takeCapacity(
  sql: Sql,
  workerId: string,
  wishes: readonly CapacityWish[],
): Promise<Map<string, number>> {
  const { rows } = await sql.query<{ scope: string; granted: number }>(
    "SELECT scope, granted FROM control.take_capacity($1, $2, $3, $4, $5, $6)",
    [
      workerId,
      wishes.map(({ scope }) => scope),
      wishes.map(({ cap }) => cap),
      wishes.map(({ held }) => held),
      wishes.map(({ wanted }) => wanted),
      INTERNAL_KINDS,
    ],
  );
  return new Map(rows.map(({ scope, granted }) => [scope, granted]));
}

/** Lowers what the worker may hold, and wakes those who waited for it. */
export async function giveCapacity(
  sql: Sql,
  workerId: string,
  kept: ReadonlyMap<string, number>,
): Promise<void> {
  await sql.query(
    `WITH lowered AS (
       UPDATE control.capacity c SET granted = k.granted
       FROM unnest($2::text[], $3::int[]) AS k(scope, granted)
       WHERE c.worker_id = $1 AND c.scope = k.scope AND c.granted > k.granted
       RETURNING 1
     )
     SELECT pg_notify('algobrain_job', '${CAPACITY_HINT}') FROM (SELECT FROM lowered LIMIT 1) one`,
    [workerId, [...kept.keys()], [...kept.values()]],
  );
}

/** All that a worker was granted, when it holds nothing any more. */
export async function dropCapacity(sql: Sql, workerId: string): Promise<void> {
  await sql.query("DELETE FROM control.capacity WHERE worker_id = $1", [workerId]);
}

/** Of workers that ended in whatever way: room must not be lost with them. */
export async function dropLostCapacity(sql: Sql): Promise<void> {
  const name = "capacity.lost";
  if (await ask<boolean>(sql, { name, sql: `EXISTS (SELECT ${LOST_CAPACITY})` }))
    await sql.query(`DELETE ${LOST_CAPACITY}`);
}

const LOST_CAPACITY = `FROM control.capacity c WHERE NOT EXISTS (
  SELECT FROM public.workers w WHERE w.id = c.worker_id AND w.status IN ('alive', 'draining'))`;

/** True while a process runs that takes no capacity: then room is only taken in the transaction of the claim. */
export async function runsOlderEngine(sql: Sql, deadAfterMs: number): Promise<boolean> {
  const { rows } = await sql.query<{ older: boolean }>(
    `SELECT EXISTS (SELECT FROM public.workers WHERE engine = 1 AND status IN ('alive', 'draining')
       AND last_heartbeat > now() - $1 * interval '1 ms') AS older`,
    [deadAfterMs],
  );
  return rows[0]!.older;
}

export interface RateLimit {
  /** Starts at once at most, and per `perMs`. */
  readonly max: number;
  readonly perMs: number;
}

/** How many starts of the kind are allowed now, of those wanted. They count as made: give back those that were not. */
export async function takeRate(
  sql: Sql,
  kind: string,
  limit: RateLimit,
  wanted: number,
): Promise<number> {
  const { rows } = await sql.query<{ taken: number }>(
    "SELECT control.take_rate($1, $2, $3, $4) AS taken",
    [kind, limit.max, limit.perMs, wanted],
  );
  return rows[0]!.taken;
}

export async function giveRate(
  sql: Sql,
  kind: string,
  limit: RateLimit,
  unused: number,
): Promise<void> {
  await sql.query(
    "UPDATE control.rate_bucket SET tokens = least($2, tokens + $3) WHERE job_type = $1",
    [kind, limit.max, unused],
  );
}
