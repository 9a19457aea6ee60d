/** Who measures: the sources of the part that leads, and those that only the process of the API can be asked. */
import { apiSource } from "../runtime/sample/api.js";
import { cacheSource } from "../runtime/sample/cache.js";
import { databaseSource } from "../runtime/sample/database.js";
import { dependenciesSource } from "../runtime/sample/dependencies.js";
import { hostSource } from "../runtime/sample/host.js";
import { jobsSource } from "../runtime/sample/jobs.js";
import type { SampleSource } from "../runtime/sample/source.js";
import { tableHealthSource } from "../runtime/sample/table-health.js";
import type { Caching } from "./caching.js";
import type { Foundation } from "./foundation.js";

/** Processes with a pool that are no workers: the one that asks here. */
const OTHER_PROCESSES = 1;

export function createSampleSources(foundation: Foundation, { cache }: Caching): SampleSource[] {
  const { db, policy, log, config } = foundation;
  return [
    jobsSource(db),
    dependenciesSource(db),
    databaseSource({ sql: db, policy, otherProcesses: OTHER_PROCESSES }),
    tableHealthSource({ sql: db, policy, log }),
    hostSource(config.home),
    cacheSource(cache),
  ];
}

export function createApiSources({ metrics }: Foundation): SampleSource[] {
  return [apiSource(metrics.apiStats)];
}
