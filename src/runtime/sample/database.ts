/** Connections, of our pools and of the server; the replicas; and the processes that work on them. */
import type { PolicySet } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { readReplicaLag } from "../../store/replication.js";
import {
  countWorkerHosts,
  readConnections,
  readDatabaseSize,
} from "../../store/runtime-samples.js";
import { countAliveWorkers } from "../../store/workers.js";
import type { QueryTimes } from "../query-times.js";
import { gauge, type SampleSource } from "./source.js";

export interface DatabaseSourceOptions {
  readonly sql: Sql;
  readonly policy: () => PolicySet;
  /** Processes with a pool that are no workers: the API and orchestrator. */
  readonly otherProcesses: number;
  /** Of this process. */
  readonly queryTimes: Pick<QueryTimes, "takeP95Ms">;
}

export function databaseSource(options: DatabaseSourceOptions): SampleSource {
  return {
    name: "database",
    collect: async (now) => {
      const { environment, healing, infrastructure } = options.policy();
      const { poolSize } = infrastructure.database;
      // Of one statement.
      const [alive, { ours, server, serverMax }, { bytes, transactions }, lag] = await Promise.all([
        countAliveWorkers(options.sql, healing.workerDeadAfterMs),
        readConnections(options.sql),
        readDatabaseSize(options.sql),
        readReplicaLag(options.sql),
      ]);
      // Where people develop one machine is all there is, and that is enough.
      const tasks =
        environment === "local"
          ? null
          : await countWorkerHosts(options.sql, healing.workerDeadAfterMs);
      // A worker's heartbeat connection is one of its `poolSize`.
      const pools = (alive + options.otherProcesses) * poolSize;
      return [
        ...gauge("algobrain.db.connections", ours, now),
        ...gauge("algobrain.db.pool_size", pools, now),
        ...gauge("algobrain.db.server_connections", server, now),
        ...gauge("algobrain.db.server_connections_max", serverMax, now),
        ...gauge("algobrain.db.query_p95_ms", options.queryTimes.takeP95Ms(), now),
        ...gauge("algobrain.db.size_bytes", bytes, now),
        ...gauge("algobrain.db.transactions_total", transactions, now),
        ...gauge("algobrain.db.replica_lag", lag, now),
        ...gauge("algobrain.workers.alive", alive, now),
        ...gauge("algobrain.workers.tasks", tasks, now),
      ];
    },
  };
}
