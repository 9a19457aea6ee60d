/** How far replicas of this database are behind (HB-op-29). */
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";

/**
 * Seconds by which the slowest replica replays later than we write; null without replicas, and where our user may not
 * see them (that takes `pg_monitor`). An idle replica that has everything counts as level: the server says null then.
 */
export function readReplicaLag(sql: Sql): Promise<number | null> {
  return ask<number | null>(sql, {
    name: "database.replica-lag",
    sql: `(SELECT max(coalesce(extract(epoch FROM replay_lag), 0))::float8
      FROM pg_stat_replication WHERE state IN ('streaming', 'catchup'))`,
  });
}
