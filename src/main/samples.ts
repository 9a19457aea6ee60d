/** Who measures: the sources of the part that leads, and those that only the process of the API can be asked. */
import { hostname } from "node:os";
import { apiFiguresSource, apiSource } from "../runtime/sample/api.js";
import { cacheSource } from "../runtime/sample/cache.js";
import { databaseSource } from "../runtime/sample/database.js";
import { dependenciesSource } from "../runtime/sample/dependencies.js";
import { hostSource } from "../runtime/sample/host.js";
import { jobsSource } from "../runtime/sample/jobs.js";
import { noticesSource } from "../runtime/sample/notices.js";
import { schedulesSource } from "../runtime/sample/schedules.js";
import type { SampleSource } from "../runtime/sample/source.js";
import { tableHealthSource } from "../runtime/sample/table-health.js";
import { tallySource } from "../runtime/sample/tally.js";
import type { Caching } from "./caching.js";
import type { Foundation } from "./foundation.js";

/** Processes with a pool that are no workers: the one that asks here. */
const OTHER_PROCESSES = 1;

export function createSampleSources(foundation: Foundation, { cache }: Caching): SampleSource[] {
  const { db: sql, policy, log, config } = foundation;
  return [
    jobsSource({ sql, policy }),
    apiFiguresSource(sql),
    tallySource(sql),
    schedulesSource({ sql, policy }),
    noticesSource({ sql, policy }),
    dependenciesSource(sql),
    databaseSource({ sql, policy, otherProcesses: OTHER_PROCESSES }),
    tableHealthSource({ sql, policy, log }),
    hostSource(config.home),
    cacheSource(cache),
  ];
}

export function createApiSources({ metrics, policy }: Foundation): SampleSource[] {
  return [apiSource({ apiStats: metrics.apiStats, policy, host: hostname() })];
}
