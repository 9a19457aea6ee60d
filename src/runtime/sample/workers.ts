/** Live workers of each kind. A process takes several kinds and counts for each. */
import { PUBLIC_KINDS } from "../../job/kinds.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { countAliveByKind } from "../../store/workers.js";
import { gauge, type SampleSource } from "./source.js";

export function workersSource(options: {
  readonly sql: Sql;
  readonly policy: () => Pick<PolicySet, "healing">;
}): SampleSource {
  return {
    name: "workers",
    collect: async (now) => {
      const { workerDeadAfterMs } = options.policy().healing;
      const alive = await countAliveByKind(options.sql, workerDeadAfterMs, PUBLIC_KINDS);
      return alive.flatMap(({ kind, count }) =>
        gauge("algobrain.workers.alive_by_kind", count, now, { worker_type: kind }),
      );
    },
  };
}
