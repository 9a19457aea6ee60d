/**
 * What was written → what it means: every default filled, durations in milliseconds, thresholds in the
 * unit of their metric. Only called when no check found anything, so nothing here can fail.
 */
import { assert } from "../base/assert.js";
import { EVERY_DEFAULT_MS } from "./check/alerts.js";
import { EXECUTOR_SCALING } from "./infrastructure-defaults.js";
import type {
  Access,
  AlertLevel,
  AlertRule,
  Comparison,
  Healing,
  Metric,
  PolicySet,
  Retention,
  Routes,
  Schedule,
  Selector,
  Signal,
  WorkerKind,
} from "./policy.js";
import { RETENTION_DEFAULTS } from "./policy.js";
import { resolveAdoption, resolveCache, resolveFlags } from "./resolve-adoption.js";
import {
  resolveAccessRule,
  resolveAutomation,
  resolveAutomationLimits,
} from "./resolve-automation.js";
import { resolveBreakers } from "./resolve-breakers.js";
import { toMs } from "./resolve-duration.js";
import { resolveExceptions, resolveInfrastructure } from "./resolve-infrastructure.js";
import { resolveMonitoring, resolveSilences } from "./resolve-monitoring.js";
import { resolveEscalation, resolveReceivers, resolveSeverities } from "./resolve-routes.js";
import { resolveWorkload } from "./resolve-workload.js";
import type { RawSection, RawSet, Section } from "./schema.js";
import { selectorsOf } from "./selectors.js";
import type { ScalingTarget, ServiceScaling } from "./services.js";
import { type SignalUnit, thresholdNumber, unitOfSignal } from "./threshold.js";

/** Grouping and repetition of rules that do not say them: Alertmanager's usual numbers. */
export const GROUP_DEFAULT = { wait: "30s", interval: "5m", repeat: "4h" } as const;
export const COOLDOWN_DEFAULT = "30m";
export const NO_DATA_DEFAULT = { after: "2m", then: "hold" } as const;

export function resolvePolicySet(raw: RawSet, system: string, environment: string): PolicySet {
  const metrics = mapValues(raw.metrics, resolveMetric);
  return {
    system,
    environment,
    metrics,
    alerts: sortedByName(
      Object.entries(raw.alerts).map(([name, rule]) => resolveRule(name, rule, metrics)),
    ),
    workers: mapValues(raw.workers, resolveWorker),
    healing: resolveHealing(raw.healing),
    scaling: {
      api: resolveService(raw.scaling.api),
      orchestrator: resolveService(raw.scaling.orchestrator),
      workers: resolveService(raw.scaling.workers),
      executor: raw.scaling.executor ? resolveService(raw.scaling.executor) : EXECUTOR_SCALING,
    },
    retention: resolveRetention(raw.retention),
    schedules: sortedByName(
      Object.entries(raw.schedules).map(([name, schedule]) => resolveSchedule(name, schedule)),
    ),
    infrastructure: resolveInfrastructure(raw.infrastructure, environment),
    routes: resolveRoutes(raw.routes),
    flags: resolveFlags(raw.flags),
    cache: resolveCache(raw.cache),
    adoption: resolveAdoption(raw.adoption),
    monitoring: resolveMonitoring(raw.monitoring),
    workload: resolveWorkload(raw.workload),
    silences: resolveSilences(raw.silences),
    exceptions: resolveExceptions(raw.exceptions),
    access: resolveAccess(raw.access),
    automation: sortedByName(
      Object.entries(raw.automation).map(([name, entry]) => resolveAutomation(name, entry)),
    ),
    runbooks: mapValues(raw.catalogue, (_, { status }) => status),
  };
}

type Raw<S extends Section> = RawSection<S>;
type RawRule = Raw<"alerts">[string];
type RawSelector = { metric: string; where?: Record<string, string> | undefined };

function mapValues<K extends string, A, B>(
  record: Readonly<Record<K, A>>,
  change: (name: K, value: A) => B,
): Record<K, B> {
  const entries = Object.entries(record) as [K, A][];
  return Object.fromEntries(entries.map(([name, value]) => [name, change(name, value)])) as Record<
    K,
    B
  >;
}

/** Moving a rule to another file is no change of policy, so order by name and not by file. */
function sortedByName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A bundle has lost the order of the file, and means the same. */
function byKey<T>(record: Readonly<Record<string, T>>): T[] {
  const entries = Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([, value]) => value);
}

function resolveMetric(name: string, raw: Raw<"metrics">[string]): Metric {
  const { cloudwatch, labels = [], emitter = raw.source, ...rest } = raw;
  return { name, ...rest, emitter, labels, ...(cloudwatch && { cloudwatch }) };
}

function resolveRule(name: string, raw: RawRule, metrics: PolicySet["metrics"]): AlertRule {
  const signal = resolveSignal(raw.signal);
  const unit = unitOf(raw.signal, metrics);
  const { after, ...noData } = raw.noData ?? NO_DATA_DEFAULT;
  const group = { ...GROUP_DEFAULT, ...raw.group };
  const waitsFor = metricsOf(signal).filter((metric) => metrics[metric]?.planned !== undefined);
  return {
    name,
    summary: raw.summary,
    everyMs: raw.every === undefined ? EVERY_DEFAULT_MS : toMs(raw.every),
    signal,
    combine: raw.combine ?? "avg",
    by: raw.by ?? [],
    levels: Object.entries(raw.levels).map(([level, value]) => resolveLevel(level, value, unit)),
    noData: signal.form === "age" ? null : { afterMs: toMs(after), ...noData },
    cooldownMs: toMs(raw.cooldown ?? COOLDOWN_DEFAULT),
    groupBy: groupOf(group.by, raw.by),
    inhibitedBy: (raw.inhibitedBy ?? []).map(({ rule, equal = [] }) => ({ rule, equal })),
    groupWaitMs: toMs(group.wait),
    groupIntervalMs: toMs(group.interval),
    repeatMs: toMs(group.repeat),
    ...(waitsFor.length > 0 && { waitsFor }),
  };
}

/** All labels of the rule mean what nothing means: each instance by itself. */
function groupOf(wanted: readonly string[] | undefined, by: readonly string[] = []) {
  return wanted === undefined || by.every((label) => wanted.includes(label)) ? null : wanted;
}

function metricsOf(signal: Signal): string[] {
  return [...new Set(selectorsOf(signal).map(({ metric }) => metric))];
}

function resolveSignal(raw: RawRule["signal"]): Signal {
  if (raw.last) return { form: "last", of: resolveSelector(raw.last) };
  if (raw.age) return { form: "age", of: resolveSelector(raw.age) };
  if (raw.rate) return { form: "rate", of: resolveSelector(raw.rate), overMs: toMs(raw.rate.over) };
  if (raw.increase)
    return { form: "increase", of: resolveSelector(raw.increase), overMs: toMs(raw.increase.over) };
  if (raw.agg) {
    const { fn, over, fullWindow } = raw.agg;
    return { form: "agg", fn, of: resolveSelector(raw.agg), overMs: toMs(over), fullWindow };
  }
  if (raw.ratio) {
    const { num, all, over, minAll } = raw.ratio;
    return {
      form: "ratio",
      num: resolveSelector(num),
      all: resolveSelector(all),
      overMs: toMs(over),
      minAll,
    };
  }
  if (raw.burn) return resolveBurn(raw.burn);
  assert(raw.div, "a signal passed the checks and has no form");
  const { num, den, fn, over, fullWindow } = raw.div;
  return {
    form: "div",
    num: resolveSelector(num),
    den: resolveSelector(den),
    fn,
    overMs: toMs(over),
    fullWindow,
  };
}

function resolveBurn(raw: NonNullable<RawRule["signal"]["burn"]>): Signal {
  const { bad, all, long, short, ...numbers } = raw;
  return {
    form: "burn",
    bad: resolveSelector(bad),
    all: resolveSelector(all),
    longMs: toMs(long),
    shortMs: toMs(short),
    ...numbers,
  };
}

function resolveSelector({ metric, where = {} }: RawSelector): Selector {
  return { metric, where };
}

function unitOf(raw: RawRule["signal"], metrics: PolicySet["metrics"]): SignalUnit {
  const [form] = Object.keys(raw) as [Signal["form"]];
  if (raw.div) return raw.div.unit ?? "ratio";
  if (raw.burn) return "number";
  const metric = raw.ratio
    ? raw.ratio.num
    : (raw.last ?? raw.agg ?? raw.rate ?? raw.increase ?? raw.age);
  assert(metric, "a signal passed the checks and has no metric");
  return unitOfSignal(form, metrics[metric.metric]!.unit, raw.agg?.fn);
}

/** Leaving is the other side of entering: fires above, recovers at or below. */
const HEALTHY_SIDE: Readonly<Record<Comparison, Comparison>> = {
  ">": "<=",
  ">=": "<",
  "<": ">=",
  "<=": ">",
};

function resolveLevel(name: string, raw: RawRule["levels"][string], unit: SignalUnit): AlertLevel {
  const { recover } = raw;
  return {
    id: raw.id,
    name,
    severity: raw.severity,
    op: raw.op,
    value: toNumber(raw.value, unit),
    forMs: raw.for === undefined ? 0 : toMs(raw.for),
    mOf: raw.mOf === undefined ? null : [raw.mOf[0]!, raw.mOf[1]!],
    recover: recover
      ? { op: HEALTHY_SIDE[raw.op], value: toNumber(recover.value, unit), forMs: toMs(recover.for) }
      : null,
    notify: raw.notify,
    runbook: raw.runbook ?? null,
  };
}

function toNumber(raw: number | string, unit: SignalUnit): number {
  const number = thresholdNumber(raw, unit);
  assert(number !== null, `"${raw}" passed the checks and is no threshold in ${unit}`);
  return number;
}

function resolveWorker(kind: string, raw: Raw<"workers">["index"]): WorkerKind {
  const { timeout, enabled = true, globalMax = null, rateLimit: rate, ...rest } = raw;
  const rateLimit = rate ? { max: rate.max, perMs: toMs(rate.per) } : null;
  return { kind, enabled, globalMax, rateLimit, timeoutMs: toMs(timeout), ...rest };
}

function resolveHealing(raw: Raw<"healing">): Healing {
  const { base, cap, jitter } = raw.backoff;
  return {
    enabled: raw.enabled ?? true,
    backoff: { baseMs: toMs(base), capMs: toMs(cap), jitter },
    strategies: raw.strategies,
    crashMax: raw.crashMax,
    workerDeadAfterMs: toMs(raw.workerDeadAfter),
    breakers: resolveBreakers(raw.breakers),
    automation: resolveAutomationLimits(raw.automation),
  };
}

function resolveService({ policies = {}, ...bounds }: Raw<"scaling">["api"]): ServiceScaling {
  return {
    ...bounds,
    policies: Object.entries(policies).map(([name, policy]): ScalingTarget => {
      const { custom, predefined } = policy.metric;
      const metric = custom ?? (predefined && { predefined });
      assert(metric, "a scaling policy passed the checks and has no metric");
      return {
        name,
        metric,
        target: policy.target,
        scaleInCooldownS: toMs(policy.scaleInCooldown) / 1000,
        scaleOutCooldownS: toMs(policy.scaleOutCooldown) / 1000,
      };
    }),
  };
}

function resolveRetention(raw: Raw<"retention">): Retention {
  const defaults = RETENTION_DEFAULTS;
  return {
    eventsDays: raw.events_retention_days,
    jobsDays: raw.jobs_retention_days,
    healdecLogsDays: raw.healdec_logs_retention_days,
    quarantinedJobsDays: raw.quarantined_jobs_retention_days,
    samplesDays: raw.samples_retention_days,
    logsDays: raw.logs_retention_days,
    exportsDays: raw.exports_retention_days,
    quarantinedJobsWarnDays: raw.quarantined_jobs_warn_days ?? defaults.quarantinedJobsWarnDays,
    inboundDays: raw.inbound_retention_days ?? defaults.inboundDays,
    noticesDays: raw.notices_retention_days ?? defaults.noticesDays,
    alertEventsDays: raw.alert_events_retention_days ?? defaults.alertEventsDays,
    policyRevisionsDays: raw.policy_revisions_retention_days ?? defaults.policyRevisionsDays,
    workersDays: raw.workers_retention_days ?? defaults.workersDays,
    claimsDays: raw.claims_retention_days ?? defaults.claimsDays,
    identitiesDays: raw.identities_retention_days ?? defaults.identitiesDays,
    auditDays: raw.audit_retention_days ?? defaults.auditDays,
  };
}

function resolveSchedule(name: string, raw: Raw<"schedules">[string]): Schedule {
  const { timeZone = "UTC", payload = {}, missed = "once", ...rest } = raw;
  return { name, ...rest, timeZone, payload, missed };
}

function resolveRoutes(raw: Raw<"routes">): Routes {
  return {
    receivers: resolveReceivers(raw.receivers),
    escalation: resolveEscalation(raw.escalation),
    severities: resolveSeverities(raw.severities),
    runtimeReceivers: raw.runtimeReceivers,
  };
}

function resolveAccess(raw: Raw<"access">): Access {
  return {
    serviceRoles: raw.serviceRoles,
    groups: raw.groups ?? {},
    people: byKey(raw.people).map(
      ({ github = null, slack = [], subjects = [], teams = [], ...person }) => ({
        ...person,
        ...{ slack, github, subjects, teams },
      }),
    ),
    rules: raw.rules.map(resolveAccessRule),
  };
}
