/** How much each receiver may still hear in this minute. Written by whoever holds the evaluator's lease. */
import type { LaneState } from "../alert/storm.js";
import type { Sql } from "./database.js";

export const LANES = ["normal", "critical"] as const;
export type Lane = (typeof LANES)[number];

export interface StoredLane {
  readonly receiver: string;
  /** Pages have tokens of their own. */
  readonly lane: Lane;
  readonly state: LaneState;
  /** When its newest digest was made; null: none stands open. */
  readonly digestAt: number | null;
}

export interface LaneNow extends StoredLane {
  /** Words of the runtime of the last minute, which asked for no token, since it was stored. */
  readonly spent: number;
}

interface LaneRow {
  readonly receiver: string;
  readonly lane: Lane;
  readonly tokens: number;
  readonly refilledAt: Date;
  readonly stormSince: Date | null;
  readonly calmSince: Date | null;
  readonly digestAt: Date | null;
  readonly spent: number;
}

/** Every lane that ever said something, as it is at `now`. Each half of the words has an index of its own. */
export async function readLanes(sql: Sql, now: Date): Promise<LaneNow[]> {
  const { rows } = await sql.query<LaneRow>(
    `WITH word AS (
       SELECT receiver, severity, created_at FROM control.notice
       WHERE status <> 'pending' AND group_key IS NULL
         AND created_at > $1::timestamptz - interval '1 minute' AND created_at <= $1
       UNION ALL
       SELECT receiver, severity, created_at FROM control.notice
       WHERE status = 'pending' AND group_key IS NULL
         AND created_at > $1::timestamptz - interval '1 minute' AND created_at <= $1
     )
     SELECT receiver, lane, tokens, refilled_at AS "refilledAt", storm_since AS "stormSince",
       calm_since AS "calmSince", digest_at AS "digestAt",
       (SELECT count(*)::int FROM word w
        WHERE w.receiver = l.receiver AND w.created_at > l.refilled_at
          AND (w.severity = 'sev1') = (l.lane = 'critical')) AS spent
     FROM control.receiver_lane l ORDER BY receiver, lane`,
    [now],
  );
  return rows.map(toLane);
}

function toLane({ receiver, lane, tokens, spent, ...row }: LaneRow): LaneNow {
  return {
    ...{ receiver, lane, spent, digestAt: row.digestAt?.getTime() ?? null },
    state: {
      tokens,
      refilledAt: row.refilledAt.getTime(),
      stormSince: row.stormSince?.getTime() ?? null,
      calmSince: row.calmSince?.getTime() ?? null,
    },
  };
}

export async function saveLanes(sql: Sql, lanes: readonly StoredLane[]): Promise<void> {
  const at = (ms: number | null) => (ms === null ? null : new Date(ms));
  for (const { receiver, lane, state, digestAt } of lanes)
    await sql.query(
      `INSERT INTO control.receiver_lane
         (receiver, lane, tokens, refilled_at, storm_since, calm_since, digest_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (receiver, lane) DO UPDATE SET tokens = excluded.tokens,
         refilled_at = excluded.refilled_at, storm_since = excluded.storm_since,
         calm_since = excluded.calm_since, digest_at = excluded.digest_at`,
      [
        ...[receiver, lane, state.tokens, at(state.refilledAt), at(state.stormSince)],
        ...[at(state.calmSince), at(digestAt)],
      ],
    );
}
