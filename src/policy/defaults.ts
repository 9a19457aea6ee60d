/** What holds where routes.yaml, cache.yaml, adoption.yaml, monitoring.yaml, workload.yaml, automation.yaml and healing.yaml say nothing. */
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../base/duration.js";
import type { AutomationGuard, AutomationLimits } from "./automation.js";
import type {
  AdoptionLimits,
  CacheLifetimes,
  Monitoring,
  Receiver,
  Response,
  Severity,
} from "./policy.js";
import type { WorkloadPolicy } from "./workload.js";

/** */
export const RESPONSE_DEFAULTS: Readonly<Record<Severity, Response>> = {
  sev1: { by: "time", withinMs: 15 * MINUTE_MS },
  sev2: { by: "time", withinMs: HOUR_MS },
  sev3: { by: "time", withinMs: 4 * HOUR_MS },
  sev4: { by: "nextBusinessDay" },
};

export const CACHE_DEFAULTS: CacheLifetimes = {
  defaultMs: HOUR_MS,
  repoMetadataMs: HOUR_MS,
  repoScoreMs: 5 * MINUTE_MS,
};

export const ADOPTION_DEFAULTS: AdoptionLimits = {
  newPagesMax: 3,
  canaryMs: 3_000,
  probationMs: 5 * MINUTE_MS,
  stormPages: 10,
  retentionMargin: 0.1,
};

/** Nobody's answer within this time is a no. */
export const APPROVAL_WITHIN_MS = 30 * MINUTE_MS;

/** After a run that failed, automation keeps away this many times its cool-down. */
export const AFTER_FAILURE_FACTOR = 2;

export const GUARD_DEFAULTS: Pick<
  AutomationGuard,
  "perTargetPerHourMax" | "targetsMax" | "foldMs"
> = { perTargetPerHourMax: 2, targetsMax: 1, foldMs: 10 * MINUTE_MS };

export const AUTOMATION_DEFAULTS: AutomationLimits = {
  globalPerHourMax: 20,
  breakerAfter: 3,
  depthMax: 1,
  promotion: {
    toApprove: { drills: 2, verified: 3 },
    toAuto: { drills: 3, verified: 10, days: 3 },
    demoteAfter: 1,
  },
};

/** AM-cfg-05: a webhook is tried three times and spoken to every five seconds; all others for a day. */
export const RECEIVER_DEFAULTS: Readonly<
  Record<Receiver["kind"], Pick<Receiver, "perMinuteMax" | "triesMax">>
> = {
  slack: { perMinuteMax: 20, triesMax: null },
  pagerduty: { perMinuteMax: 20, triesMax: null },
  webhook: { perMinuteMax: 12, triesMax: 3 },
  email: { perMinuteMax: 20, triesMax: null },
};

export const MONITORING_DEFAULTS: Monitoring = {
  samples: { seriesMax: 2000, perMetricMax: 500 },
  storm: { perMinute: 50, namedMax: 10 },
  silences: { longestMs: 30 * DAY_MS, longestPagesMs: 4 * HOUR_MS },
  incidents: { openFor: ["sev1"], postMortemWithinMs: 48 * HOUR_MS, postMortemFor: ["sev1"] },
  afterDeployment: { paths: ["/health"], withinMs: 5_000 },
  queries: { lines: 100, requestLines: 200, slowMs: 2_000, top: 10 },
  outlets: {
    prometheus: { enabled: true },
    datadog: { enabled: true, pagerduty: "@pagerduty-critical", slack: "@slack-ops" },
    cloudwatch: { enabled: true },
    grafana: { enabled: true },
  },
};

const GIB = 1024 ** 3;

export const WORKLOAD_DEFAULTS: WorkloadPolicy = {
  scoring: {
    formula: "health-2",
    weights: { activity: 0.25, busFactor: 0.2, freshness: 0.2, release: 0.15, review: 0.2 },
  },
  people: { mergeAt: 0.7, hintAt: 0.4 },
  repositories: {
    cacheBytesMax: 20 * GIB,
    repoBytesMax: 2 * GIB,
    indexForks: false,
    fetchTimeoutMs: 15 * MINUTE_MS,
  },
  backfill: { openMax: 200, liveOlderThanMs: 30_000 },
  github: { reserve: 0.1, inFlight: 20, perSecond: 10 },
  maintenance: { backup: false, backupsKeep: 7, unusedIndexDays: 14 },
};
