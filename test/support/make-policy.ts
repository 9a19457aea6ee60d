/** A small valid policy set: tests say only what matters to them. */

import type { AutomationGuard } from "../../src/policy/automation.js";
import {
  ADOPTION_DEFAULTS,
  AUTOMATION_DEFAULTS,
  CACHE_DEFAULTS,
  MONITORING_DEFAULTS,
  RESPONSE_DEFAULTS,
  WORKLOAD_DEFAULTS,
} from "../../src/policy/defaults.js";
import {
  EXECUTOR_SCALING,
  EXECUTOR_SIZE,
  infrastructureDefaults,
} from "../../src/policy/infrastructure-defaults.js";
import type {
  AccessRule,
  AlertLevel,
  AlertRule,
  Automation,
  Metric,
  Person,
  PolicySet,
  Receiver,
  WorkerKind,
} from "../../src/policy/policy.js";
import type { ServiceName, ServiceScaling } from "../../src/policy/services.js";

const MINUTE_MS = 60_000;

export function makeMetric(name: string, overrides: Partial<Metric> = {}): Metric {
  return {
    name,
    unit: "count",
    kind: "gauge",
    labels: [],
    source: "runtime",
    help: `What ${name} measures.`,
    ...overrides,
  };
}

export function makeLevel(overrides: Partial<AlertLevel> = {}): AlertLevel {
  return {
    id: "AR-06",
    name: "Queue Depth High",
    severity: "sev2",
    op: ">",
    value: 1000,
    forMs: 0,
    mOf: null,
    recover: null,
    notify: ["ops"],
    runbook: null,
    ...overrides,
  };
}

export function makeRule(overrides: Partial<AlertRule> = {}): AlertRule {
  return {
    name: "queue-depth-high",
    summary: "Jobs wait longer than the workers can keep up.",
    everyMs: 15_000,
    signal: {
      form: "agg",
      fn: "avg",
      of: { metric: "algobrain.jobs.pending", where: {} },
      overMs: 10 * MINUTE_MS,
      fullWindow: true,
    },
    combine: "sum",
    by: [],
    levels: [makeLevel()],
    noData: { afterMs: 2 * MINUTE_MS, then: "hold" },
    cooldownMs: 30 * MINUTE_MS,
    groupBy: null,
    inhibitedBy: [],
    groupWaitMs: 30_000,
    groupIntervalMs: 5 * MINUTE_MS,
    repeatMs: 240 * MINUTE_MS,
    ...overrides,
  };
}

/** HB-alr-05, HB-alr-02, HB-met-03 and HB-alr-04: a plain, a two-level, a percentile and a dead-man rule. */
const RULES: readonly AlertRule[] = [
  makeRule(),
  makeRule({
    name: "api-error-rate-high",
    summary: "The API answers too many requests with errors.",
    signal: {
      form: "agg",
      fn: "avg",
      of: { metric: "algobrain.api.error_rate", where: {} },
      overMs: 5 * MINUTE_MS,
      fullWindow: true,
    },
    levels: [makeLevel({ id: "AR-02", name: "API Error Rate", severity: "sev1", value: 0.05 })],
  }),
  makeRule({
    name: "api-latency-high",
    summary: "The API is slow.",
    signal: {
      form: "agg",
      fn: "p95",
      of: { metric: "algobrain.api.latency_ms", where: {} },
      overMs: MINUTE_MS,
      fullWindow: false,
    },
    levels: [makeLevel({ id: "AR-03", name: "API Latency", forMs: 5 * MINUTE_MS })],
  }),
  makeRule({
    name: "orchestrator-down",
    summary: "Nothing schedules jobs.",
    signal: { form: "age", of: { metric: "algobrain.orchestrator.heartbeat", where: {} } },
    levels: [makeLevel({ id: "AR-05", name: "Orchestrator Down", severity: "sev1", value: 60 })],
    noData: null,
  }),
];

const METRICS: readonly Metric[] = [
  makeMetric("algobrain.jobs.pending", {
    cloudwatch: { namespace: "AlgoBrain", name: "JobQueueDepth" },
  }),
  makeMetric("algobrain.api.error_rate", { unit: "ratio" }),
  makeMetric("algobrain.api.latency_ms", { unit: "ms", kind: "histogram" }),
  makeMetric("algobrain.orchestrator.heartbeat", { unit: "timestamp" }),
];

export function makeWorkerKind(kind: string, overrides: Partial<WorkerKind> = {}): WorkerKind {
  return {
    kind,
    enabled: true,
    concurrency: 5,
    globalMax: null,
    rateLimit: null,
    priority: 0,
    timeoutMs: 5 * MINUTE_MS,
    attemptsMax: 5,
    target: { perMinute: 10, errorRateMax: 0.01 },
    ...overrides,
  };
}

/** HB-aws-02…04, HB-aws-07, HB-aws-08. */
function makeScaling(): Record<ServiceName, ServiceScaling> {
  return {
    api: {
      min: 2,
      max: 10,
      desired: 2,
      policies: [
        {
          name: "api-cpu-scaling",
          metric: { predefined: "ECSServiceAverageCPUUtilization" },
          target: 70,
          scaleInCooldownS: 300,
          scaleOutCooldownS: 60,
        },
      ],
    },
    orchestrator: { min: 1, max: 1, desired: 1, policies: [] },
    executor: EXECUTOR_SCALING,
    workers: {
      min: 12,
      max: 120,
      desired: 12,
      policies: [
        {
          name: "workers-queue-depth-scaling",
          metric: { namespace: "AlgoBrain", name: "JobQueueDepth", statistic: "Average" },
          target: 500,
          scaleInCooldownS: 600,
          scaleOutCooldownS: 120,
        },
      ],
    },
  };
}

/** What an automation may do, wide enough not to be in the way. */
export function makeGuard(overrides: Partial<AutomationGuard> = {}): AutomationGuard {
  return {
    ...{ cooldownMs: 0, cooldownAfterFailureMs: 0, perHourMax: 100, perTargetPerHourMax: 100 },
    ...{ targetsMax: 1, foldMs: 0 },
    ...overrides,
  };
}

/** Trusted to run alone: tests of what it does not want to ask anybody. */
export function makeAutomation(overrides: Partial<Automation> = {}): Automation {
  return {
    name: "backlog",
    when: { on: "incident", titleIncludes: "queue", dedupKeyPrefix: null },
    ...{ runbook: "fix-it", params: {}, guard: makeGuard() },
    trust: { level: "auto", because: "a test says so" },
    ...overrides,
  };
}

/** Lets an operator do anything through any door. */
export function makeAccessRule(overrides: Partial<AccessRule> = {}): AccessRule {
  return {
    ...{ runbook: null, danger: null, role: "operator", approvals: 0 },
    doors: ["slack", "api", "cli", "pagerduty", "policy"],
    approvers: { role: "operator", team: null },
    approvalWithinMs: 1_800_000,
    ...overrides,
  };
}

export function makePerson(name: string, overrides: Partial<Person> = {}): Person {
  return { name, role: "operator", slack: [], github: null, subjects: [], teams: [], ...overrides };
}

type OfKind =
  | { readonly kind: "slack"; readonly channel: string }
  | { readonly kind: "pagerduty" }
  | { readonly kind: "webhook"; readonly url: string }
  | { readonly kind: "email"; readonly to: readonly string[] };

/** Twenty a minute, tried for a day, told of ends. */
export function makeReceiver(
  name: string,
  of: OfKind,
  overrides: Partial<Pick<Receiver, "perMinuteMax" | "triesMax" | "sendResolved">> = {},
): Receiver {
  return { name, perMinuteMax: 20, triesMax: null, sendResolved: true, ...overrides, ...of };
}

/** The handbook's production environment, thinned to two worker kinds and four rules. */
export function makePolicy(overrides: Partial<PolicySet> = {}): PolicySet {
  return {
    system: "algobrain",
    environment: "production",
    metrics: Object.fromEntries(METRICS.map((metric) => [metric.name, metric])),
    alerts: RULES,
    workers: {
      index: makeWorkerKind("index"),
      identity: makeWorkerKind("identity", { concurrency: 10 }),
    },
    healing: {
      enabled: true,
      backoff: { baseMs: 1_000, capMs: 300_000, jitter: 0.1 },
      strategies: {
        transient: "retry",
        crash: "restart",
        data: "quarantine",
        partial: "rollback",
        critical: "escalate",
      },
      crashMax: 3,
      workerDeadAfterMs: 15_000,
      automation: AUTOMATION_DEFAULTS,
    },
    scaling: makeScaling(),
    retention: {
      eventsDays: 90,
      jobsDays: 30,
      healdecLogsDays: 90,
      quarantinedJobsDays: 365,
      samplesDays: 30,
      logsDays: 30,
      exportsDays: 60,
    },
    schedules: [],
    infrastructure: {
      ...infrastructureDefaults("algobrain-prod", "production"),
      account: "123456789012",
      region: "us-east-1",
      cluster: "algobrain-prod",
      namespace: "AlgoBrain",
      services: {
        api: { cpu: 512, memoryMiB: 1024 },
        orchestrator: { cpu: 256, memoryMiB: 512 },
        workers: { cpu: 1024, memoryMiB: 2048 },
        executor: EXECUTOR_SIZE,
      },
      exportsBucket: "algobrain-exports",
      database: { poolSize: 20, connectionsMax: 5000, reserve: 100 },
    },
    routes: {
      receivers: {
        ops: makeReceiver("ops", { kind: "slack", channel: "#ops" }),
        oncall: makeReceiver("oncall", { kind: "pagerduty" }),
      },
      escalation: [{ role: "on-call", afterMs: 0 }],
      severities: RESPONSE_DEFAULTS,
      runtimeReceivers: { critical: ["oncall"], operator: ["ops"] },
    },
    flags: {},
    cache: CACHE_DEFAULTS,
    adoption: ADOPTION_DEFAULTS,
    monitoring: MONITORING_DEFAULTS,
    workload: WORKLOAD_DEFAULTS,
    silences: [],
    exceptions: [],
    access: {
      people: [],
      groups: {},
      serviceRoles: { pagerduty: "operator", policy: "operator" },
      rules: [],
    },
    automation: [],
    runbooks: {},
    ...overrides,
  };
}
