/** AlgoBrain's own work, handed to the runtime as a list of handlers. Only main knows this room. */
import type { Cache, Git, JobHandler } from "../job/port.js";
import type { RepoStore, SourceHost } from "../job/source-port.js";
import type { CacheLifetimes } from "../policy/policy.js";
import type { WorkloadPolicy } from "../policy/workload.js";
import type { Database } from "../store/database.js";
import { createBackfillHandler } from "./handler/backfill.js";
import { createIdentityHandler } from "./handler/identify-people.js";
import { createIndexHandler } from "./handler/index-repos.js";
import { createIngestHandler } from "./handler/ingest-delivery.js";
import { createRepairHandler } from "./handler/repair-data.js";
import { createScoreHandler } from "./handler/score-repo.js";
import { createSyncHandler } from "./handler/sync-repos.js";

export interface WorkloadDeps {
  readonly db: Database;
  readonly git: Git;
  readonly cache: Cache;
  /** cache.yaml in force. */
  readonly lifetimes: () => CacheLifetimes;
  /** workload.yaml in force. */
  readonly policy: () => WorkloadPolicy;
  /** Null: no access to GitHub is configured; folders of this machine are read all the same. */
  readonly source: SourceHost | null;
  readonly clones: RepoStore | null;
}

/** One handler for each of `WORKLOAD_KINDS`. */
export function createWorkload(deps: WorkloadDeps): JobHandler[] {
  return [
    createIndexHandler(deps),
    createIdentityHandler(deps),
    createScoreHandler(deps),
    createIngestHandler(deps),
    createSyncHandler(deps),
    createRepairHandler(deps),
    createBackfillHandler(deps),
  ];
}
