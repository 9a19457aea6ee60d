/**
 * What /health says of the whole (HB-api-01, X-60). Unhealthy only when the database or the orchestrator
 * is down; a dead cache or missing workers make it degraded (design 8.6).
 */
import type { Clock } from "../base/clock.js";
import type { PolicySet } from "../policy/policy.js";
import type { Database } from "../store/database.js";
import { type PolicySummary, readPolicySummary } from "../store/policy-summary.js";
import { readSafeMode } from "../store/safe-mode.js";
import { readSigns } from "../store/signs-of-life.js";
import { countAliveWorkers } from "../store/workers.js";
import type { Drift } from "./policy-overrides.js";

export interface HealthReport {
  readonly status: "healthy" | "degraded" | "unhealthy";
  /** ISO 8601. */
  readonly timestamp: string;
  readonly services: {
    readonly database: "up" | "down";
    /** `memory`: none is configured, the cache lives in the process. */
    readonly redis: "up" | "down" | "memory";
    readonly orchestrator: "up" | "down";
    /** Worker processes whose heartbeat is fresh. */
    readonly workers: number;
  };
  readonly safe_mode: {
    readonly active: boolean;
    readonly reason: string | null;
    readonly entered_by: string | null;
    readonly entered_at: string | null;
  };
  /** In force, and what is on its way there: revisions of bundles are the signed ones. */
  readonly policy: {
    readonly digest: string | null;
    /** Of what is in force: grows with every change, also with one of files. */
    readonly revision: number | null;
    readonly commit: string | null;
    readonly adopted: number | null;
    readonly published: number | null;
    readonly held: number | null;
    readonly waiting: number | null;
    /** Refused, also at the door, or rolled back since then. 0: what was refused gave itself no number. */
    readonly failed: number | null;
    readonly processes: { readonly on_it: number; readonly behind: number };
    /** Emergency settings that are in force. */
    readonly overrides: number;
  };
  /** Variables that override the policy (design 8.4). */
  readonly drift: readonly Drift[];
  /** One sentence, when it is not healthy. */
  readonly reason?: string;
}

export interface HealthDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly policy: () => PolicySet;
  readonly drift: () => readonly Drift[];
  /** Null: no Redis is configured. False or a throw: it is down. */
  readonly redis: (() => Promise<boolean>) | null;
}

/** HB-slo-02. */
const HEARTBEAT_MAX_MS = 60_000;
/** A balancer and a person both want the bad news soon. */
const DATABASE_MAX_MS = 2_000;

export async function readHealth(deps: HealthDeps): Promise<HealthReport> {
  const redis = await redisState(deps.redis);
  const facts = await readFacts(deps);
  const services = { database: facts.database, redis, orchestrator: facts.orchestrator };
  const reason = reasonOf({ ...services, workers: facts.workers }, facts.safeMode.active);
  const down = services.database === "down" || services.orchestrator === "down";
  return {
    status: down ? "unhealthy" : reason === null ? "healthy" : "degraded",
    timestamp: deps.clock.now().toISOString(),
    services: { ...services, workers: facts.workers },
    safe_mode: facts.safeMode,
    policy: facts.policy,
    drift: deps.drift(),
    ...(reason === null ? {} : { reason }),
  };
}

type Facts = Pick<HealthReport["services"], "database" | "orchestrator" | "workers"> &
  Pick<HealthReport, "policy"> & { readonly safeMode: HealthReport["safe_mode"] };

/** What is in the database is unknown while it is silent: that is the report, not a failure of it. */
async function readFacts(deps: HealthDeps): Promise<Facts> {
  const answered = new AbortController();
  const silence = deps.clock.sleep(DATABASE_MAX_MS, answered.signal).then(() => NOTHING_KNOWN);
  try {
    return await Promise.race([askDatabase(deps), silence]);
  } catch {
    return NOTHING_KNOWN;
  } finally {
    answered.abort();
  }
}

async function askDatabase(deps: HealthDeps): Promise<Facts> {
  const [ages, workers, safeMode, policy] = await Promise.all([
    readSigns(deps.db),
    countAliveWorkers(deps.db, deps.policy().healing.workerDeadAfterMs),
    readSafeMode(deps.db),
    readPolicySummary(deps.db),
  ]);
  const beats = ages.heartbeatMs !== null && ages.heartbeatMs <= HEARTBEAT_MAX_MS;
  return {
    database: "up",
    orchestrator: beats ? "up" : "down",
    workers,
    safeMode: {
      active: safeMode.active,
      reason: safeMode.reason,
      entered_by: safeMode.enteredBy,
      entered_at: safeMode.enteredAt?.toISOString() ?? null,
    },
    policy: policy === null ? NO_POLICY : toPolicyReport(policy),
  };
}

function toPolicyReport(summary: PolicySummary): HealthReport["policy"] {
  const { onIt, behind, ...revisions } = summary;
  return { ...revisions, processes: { on_it: onIt, behind } };
}

const NO_POLICY: HealthReport["policy"] = {
  ...{ digest: null, revision: null, commit: null, adopted: null, published: null },
  ...{ held: null, waiting: null, failed: null, overrides: 0 },
  processes: { on_it: 0, behind: 0 },
};

const NOTHING_KNOWN: Facts = {
  database: "down",
  orchestrator: "down",
  workers: 0,
  safeMode: { active: false, reason: null, entered_by: null, entered_at: null },
  policy: NO_POLICY,
};

async function redisState(ask: HealthDeps["redis"]): Promise<"up" | "down" | "memory"> {
  if (ask === null) return "memory";
  try {
    return (await ask()) ? "up" : "down";
  } catch {
    return "down";
  }
}

function reasonOf(services: HealthReport["services"], safeMode: boolean): string | null {
  if (services.database === "down") return "the database does not answer";
  if (services.orchestrator === "down") return "no orchestrator has beaten for 60 s";
  if (safeMode) return "safe mode is on: only repair, audit, alert and internal work runs";
  if (services.workers === 0) return "no worker process is alive";
  if (services.redis === "down")
    return "Redis does not answer: the cache is off, and each process limits callers alone";
  return null;
}
