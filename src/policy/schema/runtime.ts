/** What workers.yaml, healing.yaml, retention.yaml and schedules.yaml may say. */

import { HEALING_STRATEGIES } from "../../base/fault.js";
import { closed, Type } from "../../base/type.js";
import { AUTOMATION_DEFAULTS } from "../defaults.js";
import type { DependencyKind } from "../policy.js";
import { RETENTION_DEFAULTS } from "../policy.js";
import { byName, Duration, Params, Share, Whole } from "./form.js";

const Worker = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ description: "Default true (HB-wrk-15)." })),
    concurrency: Whole(1, 1000, "Jobs at once in one process (HB-wrk-01)."),
    globalMax: Type.Optional(
      Whole(1, 100_000, "Jobs at once over all processes. Default: no bound (X-09)."),
    ),
    rateLimit: Type.Optional(
      Type.Object(
        {
          max: Whole(1, 1_000_000, "Starts in that time over all processes, also at once."),
          per: Duration("The time, such as 1m."),
        },
        { ...closed, description: "How often a job of this kind may start. Default: no bound." },
      ),
    ),
    priority: Whole(1, 10, "10 is high, 1 is low (HB-db-07)."),
    timeout: Duration("Longest run of one job."),
    attemptsMax: Whole(1, 100, "Runs before it stays failed."),
    target: Type.Object(
      {
        perMinute: Type.Number({ exclusiveMinimum: 0, description: "Work done in a minute." }),
        errorRateMax: Share("Share of failed jobs, a fraction."),
      },
      { ...closed, description: "What this kind should reach (X-39)." },
    ),
  },
  closed,
);

/** The handbook's twelve (HB-db-06); a test holds them equal to the registry of the job room. */
export const WorkersFile = Type.Object(
  {
    index: Worker,
    identity: Worker,
    score: Worker,
    ingest: Worker,
    sync: Worker,
    gc: Worker,
    alert: Worker,
    export: Worker,
    audit: Worker,
    repair: Worker,
    backfill: Worker,
    maintenance: Worker,
  },
  closed,
);

const Strategy = Type.Enum([...HEALING_STRATEGIES]);

const BREAKER = {
  window: Duration("Calls of the last while are judged together."),
  callsMin: Whole(1, 500, "Fewer calls than these say nothing."),
  successRateMin: Share("With a smaller share of successful calls the breaker opens, a fraction."),
  p95Max: Duration("When 95 of 100 calls take longer the breaker opens."),
  open: Duration("An open breaker lets probes through after this long (AL-env-02)."),
  probes: Whole(1, 100, "Tokens: calls that a half open breaker lets through (AL-env-02)."),
  closeAfter: Whole(1, 100, "Probes that must succeed."),
  gateMax: Duration("A dependency that names a later time is asked again all the same (X-16)."),
};
/** Where nothing is said the default of all dependencies holds. */
const SomeOfBreaker = Type.Partial(Type.Object(BREAKER, closed));

const Breakers = Type.Object(
  {
    ...SomeOfBreaker.properties,
    dependencies: Type.Optional(
      Type.Object(
        {
          slack: Type.Optional(SomeOfBreaker),
          pagerduty: Type.Optional(SomeOfBreaker),
          "pagerduty-incidents": Type.Optional(SomeOfBreaker),
          webhook: Type.Optional(SomeOfBreaker),
          email: Type.Optional(SomeOfBreaker),
          github: Type.Optional(SomeOfBreaker),
        } satisfies Record<DependencyKind, unknown>,
        { ...closed, description: "What differs for one of them." },
      ),
    ),
  },
  { ...closed, description: "When a dependency is left alone, and when it is tried again." },
);

const WholeOr = (maximum: number, of: number, what: string) =>
  Type.Optional(Whole(0, maximum, `${what} Default ${of}.`));
const { toApprove, toAuto, demoteAfter } = AUTOMATION_DEFAULTS.promotion;

const Promotion = Type.Object(
  {
    toApprove: Type.Optional(
      Type.Object(
        {
          drills: WholeOr(100, toApprove.drills, "Drills that passed."),
          verified: WholeOr(1000, toApprove.verified, "Real runs that were verified."),
        },
        { ...closed, description: "What earns that automation may ask people to agree." },
      ),
    ),
    toAuto: Type.Optional(
      Type.Object(
        {
          drills: WholeOr(100, toAuto.drills, "Drills that passed."),
          verified: WholeOr(1000, toAuto.verified, "Real runs that were verified."),
          days: WholeOr(365, toAuto.days, "Different days with such a run."),
        },
        { ...closed, description: "What earns that it runs without a person." },
      ),
    ),
    demoteAfter: Type.Optional(
      Whole(1, 10, `Failures in a row that cost a level. Default ${demoteAfter}.`),
    ),
  },
  { ...closed, description: "How a runbook earns that automation may start it." },
);

const AutomationLimits = Type.Object(
  {
    globalPerHourMax: Type.Optional(
      Whole(
        1,
        600,
        `Runs of all automation in an hour. Default ${AUTOMATION_DEFAULTS.globalPerHourMax}.`,
      ),
    ),
    breakerAfter: Type.Optional(
      Whole(
        1,
        20,
        `Runs in a row that were not verified, until a person looks. Default ${AUTOMATION_DEFAULTS.breakerAfter}.`,
      ),
    ),
    depthMax: Type.Optional(
      Whole(
        1,
        5,
        `Runs in a chain of which each caused the next. Default ${AUTOMATION_DEFAULTS.depthMax}.`,
      ),
    ),
    promotion: Type.Optional(Promotion),
  },
  { ...closed, description: "What bounds all automatic runs together." },
);

export const HealingFile = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ description: "Default true (HB-env-11)." })),
    backoff: Type.Object(
      {
        base: Duration("Attempt n waits base · 2^n (HB-heal-08)."),
        cap: Duration("Longest wait."),
        jitter: Share("Share of the wait that chance may add or take away."),
      },
      closed,
    ),
    strategies: Type.Object(
      {
        transient: Strategy,
        crash: Strategy,
        data: Strategy,
        partial: Strategy,
        critical: Strategy,
      },
      closed,
    ),
    crashMax: Whole(1, 100, "A job that kills its worker this often is quarantined."),
    workerDeadAfter: Duration("A worker process without a beat for this long is dead."),
    breakers: Type.Optional(Breakers),
    automation: Type.Optional(AutomationLimits),
  },
  closed,
);

const Days = Whole(1, 3653, "Days.");
const DaysOr = (days: number, what: string) =>
  Type.Optional(Whole(1, 3653, `Days. ${what} Default ${days}.`));

/**
 * The handbook's own key names, which PATCH /api/v1/config/gc uses too (HB-api-11, HB-cfg-01…04). What came
 * after the first landing may be left out: an older folder of policies stays valid.
 */
export const RetentionFile = Type.Object(
  {
    events_retention_days: Days,
    jobs_retention_days: Days,
    healdec_logs_retention_days: Days,
    quarantined_jobs_retention_days: Days,
    quarantined_jobs_warn_days: Type.Optional(
      Whole(
        1,
        3653,
        `Days before quarantined jobs go from which they are counted as about to. Default ${RETENTION_DEFAULTS.quarantinedJobsWarnDays}.`,
      ),
    ),
    // A partition a day: many hundreds of them would slow every read.
    samples_retention_days: Whole(
      1,
      400,
      "Days; 400 let a month be compared with that of last year.",
    ),
    inbound_retention_days: DaysOr(
      RETENTION_DEFAULTS.inboundDays,
      "Events from outside, once handled.",
    ),
    notices_retention_days: DaysOr(
      RETENTION_DEFAULTS.noticesDays,
      "Sent notices and dead letters.",
    ),
    alert_events_retention_days: DaysOr(
      RETENTION_DEFAULTS.alertEventsDays,
      "What alerts did, and when.",
    ),
    policy_revisions_retention_days: DaysOr(
      RETENTION_DEFAULTS.policyRevisionsDays,
      "Revisions in force of old; the newest 20 stay.",
    ),
    workers_retention_days: DaysOr(RETENTION_DEFAULTS.workersDays, "Worker processes that ended."),
    claims_retention_days: DaysOr(
      RETENTION_DEFAULTS.claimsDays,
      "Who committed where, of repositories archived for so long.",
    ),
    identities_retention_days: DaysOr(
      RETENTION_DEFAULTS.identitiesDays,
      "People without a claim who were not seen for so long.",
    ),
    audit_retention_days: Type.Optional(
      Whole(365, 36_530, "Days. The audit log is exported before it goes. Default: kept for ever."),
    ),
    logs_retention_days: Days,
    exports_retention_days: Days,
  },
  closed,
);

export const SchedulesFile = byName(
  Type.Object(
    {
      cron: Type.String({ description: "Five fields: minute hour day month weekday." }),
      timeZone: Type.Optional(Type.String({ description: "Default UTC." })),
      kind: Type.String({ description: "A kind of workers.yaml." }),
      payload: Type.Optional(Params),
      missed: Type.Optional(
        Type.Enum(["once", "skip"], {
          description: "After downtime: run once (default), or wait for the next time.",
        }),
      ),
    },
    closed,
  ),
);
