/** Connections: of our pools against what they may open, and of the server against its maximum. */
import type { PolicySet } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { readConnections } from "../../store/runtime-samples.js";
import { countAliveWorkers } from "../../store/workers.js";
import { gauge, type SampleSource } from "./source.js";

export interface DatabaseSourceOptions {
  readonly sql: Sql;
  readonly policy: () => PolicySet;
  /** Processes with a pool that are no workers: the API and orchestrator. */
  readonly otherProcesses: number;
}

export function databaseSource(options: DatabaseSourceOptions): SampleSource {
  return {
    name: "database",
    collect: async (now) => {
      const { healing, infrastructure } = options.policy();
      const { poolSize } = infrastructure.database;
      const alive = await countAliveWorkers(options.sql, healing.workerDeadAfterMs);
      const { ours, server, serverMax } = await readConnections(options.sql);
      // A worker's heartbeat connection is one of its `poolSize`.
      const pools = (alive + options.otherProcesses) * poolSize;
      return [
        ...gauge("algobrain.db.connections", ours, now),
        ...gauge("algobrain.db.pool_size", pools, now),
        ...gauge("algobrain.db.server_connections", server, now),
        ...gauge("algobrain.db.server_connections_max", serverMax, now),
        ...gauge("algobrain.workers.alive", alive, now),
      ];
    },
  };
}
