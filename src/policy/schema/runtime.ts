/** What workers.yaml, healing.yaml, retention.yaml and schedules.yaml may say. */
import { Type } from "typebox";
import { HEALING_STRATEGIES } from "../../base/fault.js";
import { closed } from "../../base/schema.js";
import { byName, Duration, Params, Share, Whole } from "./form.js";

const Worker = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ description: "Default true (HB-wrk-15)." })),
    concurrency: Whole(1, 1000, "Jobs at once in one process (HB-wrk-01)."),
    globalMax: Type.Optional(
      Whole(1, 100_000, "Jobs at once over all processes. Default: no bound (X-09)."),
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
  },
  closed,
);

const Days = Whole(1, 3653, "Days.");

/** The handbook's own key names, which PATCH /api/v1/config/gc uses too (HB-api-11, HB-cfg-01…04). */
export const RetentionFile = Type.Object(
  {
    events_retention_days: Days,
    jobs_retention_days: Days,
    healdec_logs_retention_days: Days,
    quarantined_jobs_retention_days: Days,
    samples_retention_days: Days,
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
