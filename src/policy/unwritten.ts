/**
 * What holds although nobody wrote it, in the words of the files: so that people see the value that they could write.
 * The values themselves stand where a set is resolved; a test holds both equal.
 */
import { BREAKER_DEFAULTS } from "../base/breaker.js";
import { writeBytes } from "../base/bytes.js";
import { formatDuration, parseDuration } from "../base/duration.js";
import { EVERY_DEFAULT_MS } from "./check/alerts.js";
import {
  ADOPTION_DEFAULTS,
  AFTER_FAILURE_FACTOR,
  APPROVAL_WITHIN_MS,
  AUTOMATION_DEFAULTS,
  CACHE_DEFAULTS,
  GUARD_DEFAULTS,
  MONITORING_DEFAULTS,
  RECEIVER_DEFAULTS,
  RESPONSE_DEFAULTS,
  WORKLOAD_DEFAULTS,
} from "./defaults.js";
import {
  EXECUTOR_SCALING,
  EXECUTOR_SIZE,
  infrastructureDefaults,
} from "./infrastructure-defaults.js";
import { isFields } from "./layout.js";
import { RETENTION_DEFAULTS, type Response, SEVERITIES } from "./policy.js";
import { COOLDOWN_DEFAULT, GROUP_DEFAULT, NO_DATA_DEFAULT } from "./resolve.js";
import { asWritten } from "./resolve-running.js";
import type { RawSection, RawSet, Section } from "./schema.js";

/** A set in which every key is written that has a default. Null where the default is "none" or "no bound". */
export function fillUnwritten(raw: RawSet, environment: string): RawSet {
  return {
    ...raw,
    metrics: eachOf(raw.metrics, (metric) => ({ emitter: metric.source, labels: [], ...metric })),
    alerts: eachOf(raw.alerts, fillRule),
    workers: eachOf(raw.workers, (worker) => ({
      ...{ enabled: true, globalMax: null, rateLimit: null },
      ...worker,
    })),
    healing: fillHealing(raw.healing),
    scaling: eachOf({ ...raw.scaling, executor: raw.scaling.executor ?? EXECUTOR }, (service) => ({
      ...{ policies: {}, ...service },
    })),
    retention: { ...RETENTION, ...raw.retention },
    schedules: eachOf(raw.schedules, (schedule) => ({
      ...{ timeZone: "UTC", missed: "once", payload: {} },
      ...schedule,
    })),
    infrastructure: fillInfrastructure(raw.infrastructure, environment),
    routes: {
      ...raw.routes,
      receivers: eachOf(raw.routes.receivers, (receiver) => ({
        ...{ ...RECEIVER_DEFAULTS[receiver.kind], sendResolved: true },
        ...receiver,
      })),
      severities: { ...SEVERITY_ANSWERS, ...raw.routes.severities },
    },
    access: fillAccess(raw.access),
    automation: eachOf(raw.automation, fillAutomation),
    flags: raw.flags ?? {},
    cache: { ...CACHE, ...raw.cache },
    adoption: { ...ADOPTION, ...raw.adoption },
    monitoring: fillMonitoring(raw.monitoring),
    workload: fillWorkload(raw.workload),
    silences: eachOf(raw.silences ?? {}, (silence) => ({ silencesPages: false, ...silence })),
    exceptions: raw.exceptions ?? {},
    // Null stands for what cannot be written.
  } as unknown as RawSet;
}

function eachOf<T>(record: Readonly<Record<string, T>>, fill: (value: T) => unknown): unknown {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, fill(value)]));
}

type Raw<S extends Section> = RawSection<S>;

function fillRule(rule: Raw<"alerts">[string]): unknown {
  const { div } = rule.signal;
  return {
    ...{ every: formatDuration(EVERY_DEFAULT_MS), combine: "avg", by: [] },
    ...{ cooldown: COOLDOWN_DEFAULT },
    ...(rule.signal.age === undefined && { noData: NO_DATA_DEFAULT }),
    ...rule,
    inhibitedBy: (rule.inhibitedBy ?? []).map((parent) => ({ equal: [], ...parent })),
    ...(div && { signal: { div: { unit: "ratio", ...div } } }),
    group: { by: rule.by ?? [], ...GROUP_DEFAULT, ...rule.group },
  };
}

const { policies: _none, ...EXECUTOR } = EXECUTOR_SCALING;

function fillInfrastructure(raw: Raw<"infrastructure">, environment: string): unknown {
  const defaults = infrastructureDefaults(raw.cluster, environment);
  const { aurora, deadMan, review, frontend, tasks, balancer, ...others } = defaults;
  const { minCapacity: min, maxCapacity: max, ...server } = aurora;
  const filled: Record<string, unknown> = {
    ...others,
    aurora: { ...server, min, max },
    deadMan: { enabled: deadMan.enabled, after: formatDuration(deadMan.afterMs) },
    ...{ frontend: asWritten(frontend), tasks: asWritten(tasks), balancer: asWritten(balancer) },
  };
  const written: Readonly<Record<string, unknown>> = raw;
  const merged = Object.entries(filled).map(([key, value]) => [key, over(value, written[key])]);
  return {
    ...raw,
    ...Object.fromEntries(merged),
    services: { executor: EXECUTOR_SIZE, ...raw.services },
    review: {
      budgets: { ...review.budgets, ...raw.review?.budgets },
      drift: { ...review.drift, ...raw.review?.drift },
    },
  };
}

/** What is written, laid over what holds without it, one level deep. */
function over(otherwise: unknown, written: unknown): unknown {
  if (written === undefined) return otherwise;
  return isFields(otherwise) && isFields(written) ? { ...otherwise, ...written } : written;
}

function fillMonitoring(raw: Raw<"monitoring"> = {}): unknown {
  const { samples, storm, silences, incidents, afterDeployment, queries, outlets } =
    MONITORING_DEFAULTS;
  const { slowMs, ...lines } = queries;
  return {
    samples: { ...samples, ...raw.samples },
    storm: { ...storm, ...raw.storm },
    silences: {
      longest: formatDuration(silences.longestMs),
      longestPages: formatDuration(silences.longestPagesMs),
      ...raw.silences,
    },
    incidents: {
      openFor: incidents.openFor,
      postMortemWithin: formatDuration(incidents.postMortemWithinMs),
      postMortemFor: incidents.postMortemFor,
      ...raw.incidents,
    },
    afterDeployment: {
      paths: afterDeployment.paths,
      within: formatDuration(afterDeployment.withinMs),
      ...raw.afterDeployment,
    },
    queries: { ...lines, slow: formatDuration(slowMs), ...raw.queries },
    outlets: {
      prometheus: { ...outlets.prometheus, ...raw.outlets?.prometheus },
      datadog: { ...outlets.datadog, ...raw.outlets?.datadog },
      cloudwatch: { ...outlets.cloudwatch, ...raw.outlets?.cloudwatch },
      grafana: { ...outlets.grafana, ...raw.outlets?.grafana },
    },
  };
}

function fillWorkload(raw: Raw<"workload"> = {}): unknown {
  return Object.fromEntries(
    Object.entries(WORKLOAD).map(([key, value]) => [
      key,
      over(value, raw[key as keyof typeof raw]),
    ]),
  );
}

function fillHealing(healing: Raw<"healing">): unknown {
  const { promotion, ...limits } = AUTOMATION_DEFAULTS;
  const { promotion: given = {}, ...written } = healing.automation ?? {};
  return {
    ...{ enabled: true, ...healing, breakers: { ...BREAKERS, ...healing.breakers } },
    automation: {
      ...limits,
      ...written,
      promotion: {
        ...{ demoteAfter: promotion.demoteAfter, ...given },
        toApprove: { ...promotion.toApprove, ...given.toApprove },
        toAuto: { ...promotion.toAuto, ...given.toAuto },
      },
    },
  };
}

function fillAutomation(entry: Raw<"automation">[string]): unknown {
  const cooldownMs = parseDuration(entry.guard.cooldown) ?? 0;
  const guard = {
    cooldownAfterFailure: formatDuration(AFTER_FAILURE_FACTOR * cooldownMs),
    perTargetPerHourMax: GUARD_DEFAULTS.perTargetPerHourMax,
    targetsMax: GUARD_DEFAULTS.targetsMax,
    fold: formatDuration(GUARD_DEFAULTS.foldMs),
    ...entry.guard,
  };
  return { params: {}, trust: null, ...entry, guard };
}

function fillAccess(access: Raw<"access">): unknown {
  const people = eachOf(access.people, (person) => ({
    ...{ slack: [], github: null, subjects: [], teams: [] },
    ...person,
  }));
  const rules = access.rules.map((rule) => ({
    approvalWithin: formatDuration(APPROVAL_WITHIN_MS),
    ...rule,
    approvers: { role: rule.role, team: null, ...rule.approvers },
  }));
  return { groups: {}, ...access, people, rules };
}

const { windowMs, p95MaxMs, openMs, gateMaxMs, ...counts } = BREAKER_DEFAULTS;
/** Of all dependencies; what differs for one of them is always written. */
const BREAKERS = {
  ...counts,
  window: formatDuration(windowMs),
  p95Max: formatDuration(p95MaxMs),
  open: formatDuration(openMs),
  gateMax: formatDuration(gateMaxMs),
};

const RETENTION = {
  quarantined_jobs_warn_days: RETENTION_DEFAULTS.quarantinedJobsWarnDays,
  inbound_retention_days: RETENTION_DEFAULTS.inboundDays,
  notices_retention_days: RETENTION_DEFAULTS.noticesDays,
  alert_events_retention_days: RETENTION_DEFAULTS.alertEventsDays,
  policy_revisions_retention_days: RETENTION_DEFAULTS.policyRevisionsDays,
  workers_retention_days: RETENTION_DEFAULTS.workersDays,
  claims_retention_days: RETENTION_DEFAULTS.claimsDays,
  identities_retention_days: RETENTION_DEFAULTS.identitiesDays,
  audit_retention_days: RETENTION_DEFAULTS.auditDays,
};

const SEVERITY_ANSWERS = Object.fromEntries(
  SEVERITIES.map((severity) => [severity, { respondWithin: inWords(RESPONSE_DEFAULTS[severity]) }]),
);

function inWords(response: Response): string {
  return response.by === "time" ? formatDuration(response.withinMs) : response.by;
}

const CACHE = {
  default: formatDuration(CACHE_DEFAULTS.defaultMs),
  "repo-metadata": formatDuration(CACHE_DEFAULTS.repoMetadataMs),
  "repo-score": formatDuration(CACHE_DEFAULTS.repoScoreMs),
};

const ADOPTION = {
  newPagesMax: ADOPTION_DEFAULTS.newPagesMax,
  canary: formatDuration(ADOPTION_DEFAULTS.canaryMs),
  probation: formatDuration(ADOPTION_DEFAULTS.probationMs),
  stormPages: ADOPTION_DEFAULTS.stormPages,
  retentionMargin: ADOPTION_DEFAULTS.retentionMargin,
};

const { scoring, people, repositories, backfill, github, maintenance } = WORKLOAD_DEFAULTS;
const { busFactor, ...weights } = scoring.weights;
const WORKLOAD = {
  scoring: { formula: scoring.formula, weights: { ...weights, "bus-factor": busFactor } },
  people: { "merge-at": people.mergeAt, "hint-at": people.hintAt },
  repositories: {
    cache: writeBytes(repositories.cacheBytesMax),
    largest: writeBytes(repositories.repoBytesMax),
    forks: repositories.indexForks,
    "fetch-timeout": formatDuration(repositories.fetchTimeoutMs),
  },
  backfill: {
    "open-max": backfill.openMax,
    "live-older-than": formatDuration(backfill.liveOlderThanMs),
  },
  github: {
    reserve: github.reserve,
    "in-flight": github.inFlight,
    "per-second": github.perSecond,
  },
  maintenance: {
    backup: maintenance.backup,
    "backups-keep": maintenance.backupsKeep,
    "unused-index-days": maintenance.unusedIndexDays,
  },
};
