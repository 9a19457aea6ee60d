/**
 * What the policies mean: frozen, every default filled, durations in milliseconds, names resolved.
 * Plain JSON, so that a bundle can be digested, stored and loaded whole. Nobody downstream parses text.
 */
import type { BackoffPolicy } from "../base/backoff.js";
import type { BreakerRules } from "../base/breaker.js";
import type { HealingFaultKind, HealingStrategy } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { AutomationGuard, AutomationLimits, PromotionLevel } from "./automation.js";
import type {
  CriticalPaths,
  Outlets,
  SampleLimits,
  SilenceLimits,
  SilencePolicy,
  StormLimits,
} from "./monitoring.js";
import type { PlanException } from "./plan-review.js";
import type { Infrastructure, ServiceName, ServiceScaling } from "./services.js";
import type { WorkloadPolicy } from "./workload.js";

/** One scale: sev1 critical, sev2 high, sev3 medium and "warning", sev4 low (design 8.8, X-26). */
export const SEVERITIES = ["sev1", "sev2", "sev3", "sev4"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Units of the metric catalogue; a ratio is a fraction 0–1. */
export const UNITS = ["ratio", "ms", "s", "count", "bytes", "timestamp", "perMinute"] as const;
export type Unit = (typeof UNITS)[number];

export const METRIC_SOURCES = ["runtime", "cloudwatch", "outside"] as const;
export type MetricSource = (typeof METRIC_SOURCES)[number];

export interface Metric {
  /** Dotted name, e.g. `algobrain.jobs.pending`. */
  readonly name: string;
  readonly unit: Unit;
  readonly kind: "gauge" | "counter" | "histogram";
  readonly labels: readonly string[];
  /** Where it is measured: in this program, by AWS, or by a probe that looks from outside. */
  readonly source: MetricSource;
  /** Which part of the source emits it: `api`, `orchestrator`, `host`. Missing in a set of an older version. */
  readonly emitter?: string | undefined;
  /** Why nobody emits it yet; the rules on it wait. */
  readonly planned?: string | undefined;
  /** Why no rule watches it. */
  readonly unwatched?: string | undefined;
  /** Where CloudWatch has it, when not under the name that alert/outlet/cloudwatch derives. */
  readonly cloudwatch?: { readonly namespace: string; readonly name: string } | undefined;
  readonly help: string;
}

export type Comparison = ">" | ">=" | "<" | "<=";
export type Aggregate =
  | "avg"
  | "min"
  | "max"
  | "sum"
  | "count"
  | "p50"
  | "p90"
  | "p95"
  | "p99"
  | "p999";

/** Series of one metric whose labels have these values. */
export interface Selector {
  readonly metric: string;
  readonly where: Readonly<Record<string, string>>;
}

/** How the series of one instance become one number (alerting.md 1.6). Windows are half-open: (t − over, t]. */
export type Signal =
  | { readonly form: "last"; readonly of: Selector }
  | {
      readonly form: "agg";
      readonly fn: Aggregate;
      readonly of: Selector;
      readonly overMs: number;
      /** "avg 5 min" of the handbook: no value until the window is fully covered (design 8.8). */
      readonly fullWindow: boolean;
    }
  | { readonly form: "rate" | "increase"; readonly of: Selector; readonly overMs: number }
  | {
      /** Share of `num` in `all`; 0/0 and fewer than `minAll` is no data. */
      readonly form: "ratio";
      readonly num: Selector;
      readonly all: Selector;
      readonly overMs: number;
      readonly minAll: number;
    }
  | {
      /** One gauge by another, each aggregated over the window first. */
      readonly form: "div";
      readonly num: Selector;
      readonly den: Selector;
      readonly fn: Aggregate;
      readonly overMs: number;
      readonly fullWindow: boolean;
    }
  /** Seconds since the last sample, or since the timestamp it holds when the unit is `timestamp`. */
  | { readonly form: "age"; readonly of: Selector }
  | {
      /**
       * How many times too fast the error budget is spent: the smaller share of `bad` in `all` over two windows, by
       * 1 − slo. The long one says that it matters, the short one that it still goes on.
       */
      readonly form: "burn";
      readonly bad: Selector;
      readonly all: Selector;
      /** The share that must be good, e.g. 0.999. */
      readonly slo: number;
      readonly longMs: number;
      readonly shortMs: number;
      readonly minAll: number;
    };

export interface AlertLevel {
  /** AR-…: unique over all rules. */
  readonly id: string;
  readonly name: string;
  readonly severity: Severity;
  readonly op: Comparison;
  readonly value: number;
  /** The condition must hold this long; fires at t ≥ activeAt + for. */
  readonly forMs: number;
  /** Instead of `for`: [m, n] of the newest n ticks must be over, n at most 60 (CloudWatch's rules). Then forMs is 0. */
  readonly mOf: readonly [number, number] | null;
  /** Leaving needs this side of this value for this long; null: one good tick. */
  readonly recover: {
    readonly op: Comparison;
    readonly value: number;
    readonly forMs: number;
  } | null;
  /** Names of receivers in routes.yaml. */
  readonly notify: readonly string[];
  /** First runbook; may be planned, then it is shown as "no runbook yet". */
  readonly runbook: string | null;
}

export interface AlertRule {
  readonly name: string;
  /** One sentence for people. */
  readonly summary: string;
  readonly everyMs: number;
  readonly signal: Signal;
  /** How the series of one instance are combined at an instant. */
  readonly combine: "sum" | "avg" | "min" | "max";
  /** Labels that make an instance; empty: one instance. */
  readonly by: readonly string[];
  /** Least severe first, strictest last. */
  readonly levels: readonly AlertLevel[];
  /** Null only for the `age` form, which is defined on missing data. */
  readonly noData: {
    readonly afterMs: number;
    readonly then: "hold" | "ok" | "breach" | "alert";
  } | null;
  /** After a notified resolve, a new firing is recorded at once but told only after this time. */
  readonly cooldownMs: number;
  /** Labels whose instances are told together, of those in `by`; null: each instance is told by itself. */
  readonly groupBy: readonly string[] | null;
  /** While one of these fires with equal labels this one is judged and not told. */
  readonly inhibitedBy: readonly {
    /** Name of the rule. */
    readonly rule: string;
    readonly equal: readonly string[];
  }[];
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatMs: number;
  /** Planned metrics of the signal: until they are emitted the rule is shown and not evaluated. Absent: none. */
  readonly waitsFor?: readonly string[];
}

export type Receiver = {
  readonly name: string;
  /** More than this in a minute becomes one digest. */
  readonly perMinuteMax: number;
  /** Attempts at one notice before it is given up; null: for a day (webhooks 3, AM-cfg-05). */
  readonly triesMax: number | null;
  /** Whether the end of an alert is told here, too. */
  readonly sendResolved: boolean;
} & (
  | { readonly kind: "slack"; readonly channel: string }
  | { readonly kind: "pagerduty" }
  | { readonly kind: "webhook"; readonly url: string }
  | { readonly kind: "email"; readonly to: readonly string[] }
);

/** A role that is called when nobody has taken care of an incident for so long. */
export interface EscalationStep {
  /** Never a person or a phone number: those live in PagerDuty. */
  readonly role: string;
  /** Milliseconds since the incident began. */
  readonly afterMs: number;
}

/** How soon somebody answers: within milliseconds, or on the next business day. */
export type Response =
  | { readonly by: "time"; readonly withinMs: number }
  | { readonly by: "nextBusinessDay" };

export interface Routes {
  readonly receivers: Readonly<Record<string, Receiver>>;
  /** First to last (HB-slo-05). */
  readonly escalation: readonly EscalationStep[];
  readonly severities: Readonly<Record<Severity, Response>>;
  /** Where safe mode, quarantines and other words of the runtime itself go. */
  readonly runtimeReceivers: {
    readonly critical: readonly string[];
    readonly operator: readonly string[];
  };
}

export const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Each role may do what those before it may. */
export function isAtLeast(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

export type Danger = "R" | "V" | "D";
/** Doors through which something may be asked. `policy` is automation: an alert or an incident. */
export const DOORS = ["slack", "api", "cli", "pagerduty", "policy"] as const;
export type Door = (typeof DOORS)[number];

export interface Person {
  readonly name: string;
  readonly role: Role;
  /** `TEAM/USER`; a display name is not an identity. */
  readonly slack: readonly string[];
  readonly github: string | null;
  /** Of tokens, terminals and commits: policy/subject.ts. */
  readonly subjects: readonly string[];
  /** Teams whose agreement an access rule may ask for. */
  readonly teams: readonly string[];
}

export interface AccessRule {
  /** By name, or every runbook of a danger class. The first rule that matches decides; none: deny. */
  readonly runbook: string | null;
  readonly danger: Danger | null;
  readonly role: Role;
  readonly doors: readonly Door[];
  /** How many other people must agree. */
  readonly approvals: number;
  /** Who they may be: with at least this role, and of this team; null: of any. */
  readonly approvers: { readonly role: Role; readonly team: string | null };
  /** Milliseconds until nobody's answer is a no. */
  readonly approvalWithinMs: number;
}

export interface Access {
  readonly people: readonly Person[];
  /** What the members of a group of the OIDC issuer may do; of several the highest. */
  readonly groups: Readonly<Record<string, Role>>;
  /** What the PagerDuty door and automation may do. */
  readonly serviceRoles: Readonly<Record<"pagerduty" | "policy", Role>>;
  readonly rules: readonly AccessRule[];
}

export interface Automation {
  readonly name: string;
  readonly when:
    | {
        readonly on: "incident";
        readonly titleIncludes: string | null;
        readonly dedupKeyPrefix: string | null;
      }
    | { readonly on: "alert"; readonly level: string };
  readonly runbook: string;
  readonly params: JsonObject;
  readonly guard: AutomationGuard;
  /** What people grant before it has earned it; null: nothing, and a person starts it. */
  readonly trust: { readonly level: PromotionLevel; readonly because: string } | null;
}

export interface WorkerKind {
  readonly kind: string;
  readonly enabled: boolean;
  /** Jobs at once in one process (HB-wrk-01). */
  readonly concurrency: number;
  /** Jobs at once over all processes; null: no such bound. */
  readonly globalMax: number | null;
  /** Starts in a time over all processes; null: no such bound. */
  readonly rateLimit: { readonly max: number; readonly perMs: number } | null;
  readonly priority: number;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  readonly target: { readonly perMinute: number; readonly errorRateMax: number };
}

/** Systems outside that we call; each webhook receiver has a breaker of its own under the rules of its kind. */
export const DEPENDENCY_KINDS = [
  "slack",
  "pagerduty",
  "pagerduty-incidents",
  "webhook",
  "email",
  "github",
] as const;
export type DependencyKind = (typeof DEPENDENCY_KINDS)[number];

export interface Healing {
  readonly enabled: boolean;
  readonly backoff: BackoffPolicy;
  readonly strategies: Readonly<Record<HealingFaultKind, HealingStrategy>>;
  /** A job that kills its worker this often is quarantined. */
  readonly crashMax: number;
  /** A worker process without a beat for this long is dead. */
  readonly workerDeadAfterMs: number;
  /** By kind of dependency, every default filled. Missing in a set that an older version has published. */
  readonly breakers?: Readonly<Record<DependencyKind, BreakerRules>>;
  readonly automation: AutomationLimits;
}

export interface Retention {
  readonly eventsDays: number;
  readonly jobsDays: number;
  readonly healdecLogsDays: number;
  readonly quarantinedJobsDays: number;
  readonly samplesDays: number;
  readonly logsDays: number;
  readonly exportsDays: number;
  // A bundle of the previous version has none of these: RETENTION_DEFAULTS then.
  readonly quarantinedJobsWarnDays?: number | undefined;
  readonly inboundDays?: number | undefined;
  readonly noticesDays?: number | undefined;
  readonly alertEventsDays?: number | undefined;
  readonly policyRevisionsDays?: number | undefined;
  readonly workersDays?: number | undefined;
  /** Claims of repositories that have been archived for so long. */
  readonly claimsDays?: number | undefined;
  /** People without a claim who have not been seen for so long. */
  readonly identitiesDays?: number | undefined;
  /** Null: for ever. */
  readonly auditDays?: number | null | undefined;
}

export const RETENTION_DEFAULTS = {
  quarantinedJobsWarnDays: 7,
  inboundDays: 90,
  noticesDays: 90,
  alertEventsDays: 365,
  policyRevisionsDays: 365,
  workersDays: 30,
  claimsDays: 730,
  identitiesDays: 365,
  auditDays: null,
} as const satisfies Partial<Retention>;

export interface Schedule {
  readonly name: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly kind: string;
  readonly payload: JsonObject;
  /** After downtime: run once for all that was missed, or wait for the next time. */
  readonly missed: "once" | "skip";
}

/** A switch of the runtime with an end: what stays is made a policy, what does not is taken out. */
export interface Flag {
  readonly name: string;
  readonly value: boolean | number;
  /** A role or a person of access.yaml. */
  readonly owner: string;
  /** The last day on which it may be there, `2026-12-31` (UTC). */
  readonly expires: string;
  readonly why: string;
}

/** How long cached copies count, in milliseconds (HB-wrk-17, AM-cfg-04, AL-cfg-01). */
export interface CacheLifetimes {
  /** Whatever has no lifetime of its own. */
  readonly defaultMs: number;
  readonly repoMetadataMs: number;
  readonly repoScoreMs: number;
}

/** What a new policy must not exceed to come into force by itself. Those of the policy in force judge. */
export interface AdoptionLimits {
  /** Levels that the new policy would fire at once and the old one does not. */
  readonly newPagesMax: number;
  /** How long one process works with it before all do. */
  readonly canaryMs: number;
  /** How long it is watched afterwards. */
  readonly probationMs: number;
  /** Pages during the probation with which it goes back. */
  readonly stormPages: number;
  /** Rows that may become due beyond those previewed, as a share of these: 0.1 is a tenth. */
  readonly retentionMargin: number;
}

/** What the saved queries of the logs answer (HB-log-01, LB-cli-08). */
export interface SavedQueries {
  /** Of a list of errors or slow requests, and of one request. */
  readonly lines: number;
  readonly requestLines: number;
  /** A request that took longer is slow. */
  readonly slowMs: number;
  /** Kinds on the dashboard whose jobs fail most. */
  readonly top: number;
}

/** What bounds samples, storms and silences, when incidents open, and where rules are shown outside. */
export interface Monitoring {
  readonly samples: SampleLimits;
  readonly storm: StormLimits;
  readonly silences: SilenceLimits;
  readonly incidents: {
    /** A first page of these opens an incident. */
    readonly openFor: readonly Severity[];
    /** LB-slo-02. */
    readonly postMortemWithinMs: number;
    readonly postMortemFor: readonly Severity[];
  };
  readonly afterDeployment: CriticalPaths;
  readonly queries: SavedQueries;
  readonly outlets: Outlets;
}

export interface PolicySet {
  readonly system: string;
  readonly environment: string;
  readonly metrics: Readonly<Record<string, Metric>>;
  readonly alerts: readonly AlertRule[];
  readonly workers: Readonly<Record<string, WorkerKind>>;
  readonly healing: Healing;
  readonly scaling: Readonly<Record<ServiceName, ServiceScaling>>;
  readonly retention: Retention;
  readonly schedules: readonly Schedule[];
  readonly infrastructure: Infrastructure;
  readonly routes: Routes;
  readonly flags: Readonly<Record<string, Flag>>;
  readonly cache: CacheLifetimes;
  readonly adoption: AdoptionLimits;
  readonly monitoring: Monitoring;
  readonly workload: WorkloadPolicy;
  /** By name. */
  readonly silences: readonly SilencePolicy[];
  /** By name. */
  readonly exceptions: readonly PlanException[];
  readonly access: Access;
  readonly automation: readonly Automation[];
  /** Runbook name → built or planned (runbooks/catalogue.yaml). */
  readonly runbooks: Readonly<Record<string, "built" | "planned">>;
}
