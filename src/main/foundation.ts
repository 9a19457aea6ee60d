/** What every process of the runtime stands on: config, log, database, and the policy in force. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import { createLogger, type Logger } from "../base/log.js";
import { createRedact, type Redact } from "../base/redact.js";
import type { PolicySet } from "../policy/policy.js";
import type { Journal } from "../runbook/journal.js";
import type { StopSwitchPort } from "../runbook/stop.js";
import type { Config } from "../runtime/config.js";
import { createEmit, type Emit } from "../runtime/events.js";
import { FailedTicks } from "../runtime/failed-ticks.js";
import { GitHubBudget } from "../runtime/github-budget.js";
import { JobTally } from "../runtime/job-tally.js";
import { FileJournal } from "../runtime/journal.js";
import { type JournalFiles, openJournalFiles } from "../runtime/journal-files.js";
import { createMetrics, type Metrics, type PolicyFigures } from "../runtime/metrics.js";
import { createRuntimeNotify } from "../runtime/notify.js";
import { PolicyHolder } from "../runtime/policy-holder.js";
import type { PolicyInForce } from "../runtime/policy-in-force.js";
import type { Drift } from "../runtime/policy-overrides.js";
import type { QueryTimes } from "../runtime/query-times.js";
import type { RuntimeNotify } from "../runtime/runtime-word.js";
import { createStopSwitch } from "../runtime/stop-file.js";
import { createFollow, followPolicyTick } from "../runtime/tick/follow-policy.js";
import type { Tick } from "../runtime/ticker.js";
import type { WatchdogOptions } from "../runtime/watchdog.js";
import { watchdogTick } from "../runtime/watchdog.js";
import { wordOfWatchdog } from "../runtime/watchdog-word.js";
import { type Database, openDatabase } from "../store/database.js";
import { readTally } from "../store/job-tally.js";
import { countPolicyProcesses, forgetPolicyProcess } from "../store/policy-processes.js";
import { countRefusals, readPolicySummary } from "../store/policy-summary.js";
import { readQueueLoad } from "../store/queue-stats.js";
import { readNewestRounds } from "../store/sample-rounds.js";
import { readPublished } from "./policy.js";
import { unusedSettings } from "./unused-settings.js";

/** What is older says nothing of now. */
const SAMPLES_MAX_AGE_MS = 60_000;

export interface Foundation {
  /** What GitHub said of its limit to this process. */
  readonly githubBudget: GitHubBudget;
  readonly config: Config;
  /** Where the database is, with its password: for pools and children, never for a log. */
  readonly databaseUrl: string;
  /** Past a pooler: for what needs a session of its own. */
  readonly directUrl: string;
  readonly db: Database;
  /** What its statements take. */
  readonly queryTimes: QueryTimes;
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
  /** What it does: `all`, `worker-general`. */
  readonly role: string;
  /** In force now, with the overrides of this process: it may be another one at the next use. */
  readonly policy: () => PolicySet;
  readonly policyHolder: PolicyHolder;
  /** Works from then on with what is in force. */
  readonly followPolicy: (now: Date) => Promise<void>;
  readonly failedTicks: FailedTicks;
  readonly drift: () => readonly Drift[];
  readonly notify: RuntimeNotify;
  readonly stop: StopSwitchPort;
  /** Of this process: what comes in while the database is away. */
  readonly journal: Journal;
  /** Where all processes of this home keep theirs. */
  readonly journalFiles: JournalFiles;
  /** Of the repository of the runbooks; null: not known. */
  readonly commit: string | null;
}

/** The log of a process, before there is a database. */
export function createProcessLog(
  config: Config,
  write: (line: string) => void,
  role: string,
  onError?: (line: string) => void,
): Logger {
  const redact = createRedact(config.secrets);
  return createLogger({
    level: config.logLevel,
    clock: systemClock,
    redact,
    write,
    onError,
    fields: { role },
  });
}

export function openPool(
  config: Config,
  url: string,
  role: string,
  poolMax: number,
  log: Logger,
  queryTimes: QueryTimes | null = null,
): Database {
  return openDatabase({
    url,
    poolMax,
    ssl: config.database.ssl,
    applicationName: `algobrain-${role}`,
    onIdleError: (error) => log.warn("database.connection-lost", { error: error.message }),
    ...(queryTimes === null ? {} : { onAnswered: (tookMs) => queryTimes.observe(tookMs) }),
  });
}

export function layFoundation(parts: {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly db: Database;
  readonly queryTimes: QueryTimes;
  readonly log: Logger;
  readonly role: string;
  readonly policy: PolicyInForce;
  readonly commit: string | null;
}): Foundation {
  const { config, db, log, role } = parts;
  const policyHolder = new PolicyHolder(parts.policy, config);
  for (const { name, policyValue, value } of policyHolder.drift()) {
    log.warn("policy.overridden", { name, policy_value: policyValue, value });
  }
  for (const name of unusedSettings(config)) log.warn("setting.unused", { name });
  const { policy } = policyHolder;
  const clock = systemClock;
  const tally = new JobTally(db);
  const failedTicks = new FailedTicks();
  const metrics = createMetrics({
    clock,
    readJobs: () => readJobGauges(db),
    readTally: () => readTally(db),
    readPolicy: () => readPolicyFigures(db),
    readSamples: () => readNewestRounds(db, SAMPLES_MAX_AGE_MS),
    catalogue: () => policy().metrics,
  });
  const emit = createEmit(log, metrics.observeEvent, tally.observe, failedTicks.observe);
  const holder = `${hostname()}:${process.pid}:${randomBytes(2).toString("hex")}`;
  const load = () => readPublished(db);
  const journalFiles = openJournalFiles(config.journalDir ?? join(config.home, "journal"));
  const urlSecrets = [decodeURIComponent(new URL(parts.databaseUrl).password)];
  return {
    ...{ config, db, log, role, databaseUrl: parts.databaseUrl, queryTimes: parts.queryTimes },
    githubBudget: new GitHubBudget(),
    clock,
    metrics,
    tally,
    policy,
    redact: createRedact([...config.secrets, ...urlSecrets]),
    emit,
    random: Math.random,
    holder,
    evidenceDir: join(config.home, "started"),
    directUrl: config.database.directUrl ?? parts.databaseUrl,
    policyHolder,
    followPolicy: createFollow({ db, emit, policyHolder, load, holder, role }),
    failedTicks,
    drift: () => policyHolder.drift(),
    notify: createRuntimeNotify({ policy, now: () => clock.now() }),
    stop: createStopSwitch({ db, file: config.stopFile ?? join(config.home, "STOP"), clock, log }),
    journal: new FileJournal({ files: journalFiles, clock, log, pid: process.pid }),
    journalFiles,
    commit: parts.commit,
  };
}

/** Every process watches whether there is a leader and whether samples come in (design 8.7), and follows the policy. */
export function ticksOfEveryProcess(foundation: Foundation): Tick[] {
  const report: WatchdogOptions["report"] = (seen) =>
    foundation.notify(foundation.db, wordOfWatchdog(seen));
  return [watchdogTick({ ...foundation, report }), followPolicyTick(foundation.followPolicy)];
}

/** Of a process that ends in order: nobody waits for it to follow. */
export async function leaveFollowers({ db, holder, log }: Foundation): Promise<void> {
  try {
    await forgetPolicyProcess(db, holder);
  } catch (error) {
    // It is taken for gone after a minute.
    log.debug("policy.process-not-forgotten", { error: errorMessage(error) });
  }
}

async function readPolicyFigures(db: Database): Promise<PolicyFigures> {
  const [summary, processes, refusals] = await Promise.all([
    readPolicySummary(db),
    countPolicyProcesses(db),
    countRefusals(db),
  ]);
  return { summary, processes, refusals };
}

async function readJobGauges(db: Database) {
  const load = await readQueueLoad(db);
  return load.flatMap(({ name, waiting, active }) => [
    { jobType: name, status: "pending", count: waiting },
    { jobType: name, status: "running", count: active },
  ]);
}
