/** Who measures: the sources of the part that leads, and those that only the process of the API can be asked. */
import { hostname } from "node:os";
import { adoptionSource } from "../runtime/sample/adoption.js";
import { apiFiguresSource, apiSource } from "../runtime/sample/api.js";
import { arrivalsSource } from "../runtime/sample/arrivals.js";
import { backupSource } from "../runtime/sample/backup.js";
import { cacheSource } from "../runtime/sample/cache.js";
import { databaseSource } from "../runtime/sample/database.js";
import { dependenciesSource } from "../runtime/sample/dependencies.js";
import { exportsSource } from "../runtime/sample/exports.js";
import { findingsSource } from "../runtime/sample/findings.js";
import { githubSource } from "../runtime/sample/github.js";
import { hostSource } from "../runtime/sample/host.js";
import { incidentsSource } from "../runtime/sample/incidents.js";
import { jobsSource } from "../runtime/sample/jobs.js";
import { noticesSource } from "../runtime/sample/notices.js";
import { processSource } from "../runtime/sample/process.js";
import { refusedSource } from "../runtime/sample/refused.js";
import { schedulesSource } from "../runtime/sample/schedules.js";
import type { SampleSource } from "../runtime/sample/source.js";
import { tableHealthSource } from "../runtime/sample/table-health.js";
import { tallySource } from "../runtime/sample/tally.js";
import { workersSource } from "../runtime/sample/workers.js";
import { readRemainingShare } from "../store/github-budget.js";
import type { Caching } from "./caching.js";
import type { Foundation } from "./foundation.js";

/** Processes with a pool that are no workers: the one that asks here. */
const OTHER_PROCESSES = 1;

export function createSampleSources(foundation: Foundation, { cache }: Caching): SampleSource[] {
  const { db: sql, policy, log, config, role, clock, queryTimes } = foundation;
  return [
    jobsSource({ sql, policy }),
    arrivalsSource(sql),
    workersSource({ sql, policy }),
    apiFiguresSource(sql),
    tallySource(sql),
    schedulesSource({ sql, policy }),
    noticesSource({ sql, policy }),
    incidentsSource(sql),
    dependenciesSource(sql),
    databaseSource({ sql, policy, queryTimes, otherProcesses: OTHER_PROCESSES }),
    tableHealthSource({ sql, policy, log }),
    hostSource(config.home),
    githubSource(foundation.githubBudget, () => readRemainingShare(sql)),
    cacheSource(cache),
    backupSource(sql),
    findingsSource(sql),
    exportsSource(sql),
    adoptionSource(sql),
    refusedSource(sql),
    // Where both parts are one process, that of the API measures it.
    ...(role === "all" ? [] : [processSource({ role, host: hostname(), clock })]),
  ];
}

export function createApiSources(foundation: Foundation): SampleSource[] {
  const { metrics, policy, role, clock } = foundation;
  const host = hostname();
  return [
    apiSource({ apiStats: metrics.apiStats, policy, host }),
    processSource({ role, host, clock }),
  ];
}
