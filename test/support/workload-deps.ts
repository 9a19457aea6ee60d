/** What the handlers of AlgoBrain's own kinds need, whole: a test names only what it is about. */
import { createGit } from "../../src/adapter/git.js";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { createShell } from "../../src/adapter/shell.js";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import type { JobHandler } from "../../src/job/port.js";
import { CACHE_DEFAULTS, WORKLOAD_DEFAULTS } from "../../src/policy/defaults.js";
import type { Database } from "../../src/store/database.js";
import { createWorkload, type WorkloadDeps } from "../../src/workload/workload.js";
import { makeContext, type TestJob } from "./job-context.js";

/** Without access to GitHub: folders of this machine alone. */
export function workloadDeps(
  db: Database,
  changes: Partial<Omit<WorkloadDeps, "db">> = {},
): WorkloadDeps {
  return {
    db,
    git: createGit(createShell({ redact: (text) => text })),
    cache: createMemoryCache(systemClock),
    lifetimes: () => CACHE_DEFAULTS,
    policy: () => WORKLOAD_DEFAULTS,
    source: null,
    clones: null,
    ...changes,
  };
}

/** Runs one job of a kind as the runtime would, and gives its result. */
export function workloadRunner(
  deps: WorkloadDeps,
  made: readonly JobHandler[] = createWorkload(deps),
) {
  const handlers = new Map(made.map((handler) => [handler.kind, handler]));
  return (kind: string, payload: JsonObject, job: Omit<TestJob, "kind" | "payload"> = {}) =>
    handlers.get(kind)!.run(makeContext({ kind, payload, ...job }));
}
