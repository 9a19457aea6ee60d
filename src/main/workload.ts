/**
 * The one place where AlgoBrain's own work is plugged in. Another system's program has another file here;
 * a test builds the program with an empty one, so nothing else may come to depend on that room.
 */

import type { KindSpec } from "../job/kinds.js";
import type { JobHandler } from "../job/port.js";
import { WORKLOAD_KINDS } from "../workload/payloads.js";
import { type Warmed, warmRepos } from "../workload/repo-cache.js";
import { createWorkload, type WorkloadDeps } from "../workload/workload.js";

export interface Workload {
  readonly kinds: readonly KindSpec[];
  /** One for each of the kinds. */
  createHandlers(ports: WorkloadDeps): JobHandler[];
  /** Loads what is used most into the cache, as much as belongs to `limit` records. */
  warmCache(
    ports: Pick<WorkloadDeps, "db" | "cache" | "lifetimes">,
    limit: number,
  ): Promise<Warmed>;
}

export const WORKLOAD: Workload = {
  kinds: WORKLOAD_KINDS,
  createHandlers: createWorkload,
  warmCache: warmRepos,
};
