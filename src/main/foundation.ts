/** What every process of the runtime stands on: config, log, database, and the policy in force. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../base/clock.js";
import { createLogger, type Logger } from "../base/log.js";
import { createRedact, type Redact } from "../base/redact.js";
import type { PolicySet } from "../policy/policy.js";
import type { Config } from "../runtime/config.js";
import { createEmit, type Emit } from "../runtime/events.js";
import { JobTally } from "../runtime/job-tally.js";
import { createMetrics, type Metrics } from "../runtime/metrics.js";
import { createRuntimeNotify } from "../runtime/notify.js";
import { applyOverrides, type Drift } from "../runtime/policy-overrides.js";
import type { RuntimeNotify } from "../runtime/runtime-word.js";
import type { Tick } from "../runtime/ticker.js";
import type { WatchdogOptions } from "../runtime/watchdog.js";
import { watchdogTick } from "../runtime/watchdog.js";
import { wordOfWatchdog } from "../runtime/watchdog-word.js";
import { type Database, openDatabase } from "../store/database.js";
import { readTally } from "../store/job-tally.js";
import { readQueueLoad } from "../store/queue-stats.js";
import type { PolicyInForce } from "./policy.js";
import { unusedSettings } from "./unused-settings.js";

export interface Foundation {
  readonly config: Config;
  /** Where the database is, with its password: for pools and children, never for a log. */
  readonly databaseUrl: string;
  /** Past a pooler: for what needs a session of its own. */
  readonly directUrl: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redact: Redact;
  readonly metrics: Metrics;
  /** Of this process; to be flushed before the database is closed. */
  readonly tally: JobTally;
  readonly emit: Emit;
  readonly random: () => number;
  /** This process among others, e.g. `host:123:9f3a`. */
  readonly holder: string;
  /** Where worker processes note which handlers have started. */
  readonly evidenceDir: string;
  readonly policy: () => PolicySet;
  readonly digest: string;
  readonly drift: () => readonly Drift[];
  readonly notify: RuntimeNotify;
}

/** The log of a process, before there is a database. */
export function createProcessLog(
  config: Config,
  write: (line: string) => void,
  role: string,
): Logger {
  const redact = createRedact(config.secrets);
  return createLogger({
    level: config.logLevel,
    clock: systemClock,
    redact,
    write,
    fields: { role },
  });
}

export function openPool(
  config: Config,
  url: string,
  role: string,
  poolMax: number,
  log: Logger,
): Database {
  return openDatabase({
    url,
    poolMax,
    ssl: config.database.ssl,
    applicationName: `algobrain-${role}`,
    onIdleError: (error) => log.warn("database.connection-lost", { error: error.message }),
  });
}

export function layFoundation(parts: {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly db: Database;
  readonly log: Logger;
  readonly policy: PolicyInForce;
}): Foundation {
  const { config, db, log } = parts;
  const effective = applyOverrides(parts.policy.set, config);
  for (const { name, policyValue, value } of effective.drift) {
    log.warn("policy.overridden", { name, policy_value: policyValue, value });
  }
  for (const name of unusedSettings(config)) log.warn("setting.unused", { name });
  const policy = () => effective.policy;
  const clock = systemClock;
  const tally = new JobTally(db);
  const metrics = createMetrics({
    clock,
    readJobs: () => readJobGauges(db),
    readTally: () => readTally(db),
  });
  const urlSecrets = [decodeURIComponent(new URL(parts.databaseUrl).password)];
  return {
    ...parts,
    clock,
    metrics,
    tally,
    policy,
    redact: createRedact([...config.secrets, ...urlSecrets]),
    emit: createEmit(log, metrics.observeEvent, tally.observe),
    random: Math.random,
    holder: `${hostname()}:${process.pid}:${randomBytes(2).toString("hex")}`,
    evidenceDir: join(config.home, "started"),
    directUrl: config.database.directUrl ?? parts.databaseUrl,
    digest: parts.policy.digest,
    drift: () => effective.drift,
    notify: createRuntimeNotify({ policy, now: () => clock.now() }),
  };
}

/** Every process watches whether there is a leader and whether samples come in (design 8.7). */
export function watchdogOf(foundation: Foundation): Tick {
  const report: WatchdogOptions["report"] = (seen) =>
    foundation.notify(foundation.db, wordOfWatchdog(seen));
  return watchdogTick({ ...foundation, report });
}

async function readJobGauges(db: Database) {
  const load = await readQueueLoad(db);
  return load.flatMap(({ name, waiting, active }) => [
    { jobType: name, status: "pending", count: waiting },
    { jobType: name, status: "running", count: active },
  ]);
}
