/** How far replicas of this database are behind (HB-op-29). */
import type { Sql } from "./database.js";

/**
 * Seconds by which the slowest replica replays later than we write; null without replicas, and where our user may not
 * see them (that takes `pg_monitor`). An idle replica that has everything counts as level: the server says null then.
 */
export async function readReplicaLag(sql: Sql): Promise<number | null> {
  const { rows } = await sql.query<{ lag: number | null }>(
    `SELECT max(coalesce(extract(epoch FROM replay_lag), 0))::float8 AS lag
     FROM pg_stat_replication WHERE state IN ('streaming', 'catchup')`,
  );
  return rows[0]?.lag ?? null;
}
