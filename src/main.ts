/**
 * Builds and runs the service: opens in order (database, migrations, policy, workers, orchestrator, web), closes
 * in reverse. A start that fails closes what it had opened. Nothing here starts by being imported.
 */
import { startEmbeddedPostgres } from "./adapter/embedded-postgres.js";
import { systemClock } from "./base/clock.js";
import type { Logger } from "./base/log.js";
import { type Close, openInOrder } from "./base/open-in-order.js";
import type { Lane } from "./job/kinds.js";
import { whenDatabaseAnswers } from "./main/await-database.js";
import { openCaching } from "./main/caching.js";
import { createErrorReports } from "./main/error-reports.js";
import {
  createProcessLog,
  type Foundation,
  layFoundation,
  leaveFollowers,
  openPool,
  ticksOfEveryProcess,
} from "./main/foundation.js";
import { createMetricsSink } from "./main/metrics-export.js";
import { OUTAGE_SESSIONS, outlivingTicks } from "./main/outliving.js";
import { beginPolicy, openPolicyOrigin, type PolicyOrigin, readPublished } from "./main/policy.js";
import { waitAtDoor } from "./main/waiting-door.js";
import { startWorkerProcess } from "./main/worker-process.js";
import { startWorkers } from "./main/workers.js";
import type { PolicySet } from "./policy/policy.js";
import { findCommit } from "./runtime/commit.js";
import type { Config } from "./runtime/config.js";
import { HEARTBEAT_CONNECTIONS } from "./runtime/heartbeat.js";
import { ensureHome } from "./runtime/home.js";
import { LISTENER_CONNECTIONS } from "./runtime/job-hints.js";
import { parentLink } from "./runtime/parent-link.js";
import type { PolicyInForce } from "./runtime/policy-in-force.js";
import { QueryTimes } from "./runtime/query-times.js";
import { runTicks } from "./runtime/ticker.js";
import type { Database } from "./store/database.js";
import { migrate } from "./store/migrate.js";
import { readMigrationFiles } from "./store/migration-files.js";

export type ServedRole = "all" | "api" | "orchestrator" | "worker" | "executor";

export interface RuntimeOptions {
  readonly config: Config;
  readonly role: ServedRole;
  /** Only for a worker: this process serves the lane itself; null: it supervises workers. */
  readonly lane: Lane | null;
  readonly kinds: readonly string[] | null;
  readonly packageRoot: string;
  readonly cwd: string;
  /** Of the children. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly writeLog: (line: string) => void;
  /** File descriptor for the log lines of child processes; default: our standard error. */
  readonly childLog?: number;
  /** The process must end now. */
  readonly onFatal: (why: string) => void;
  /** Aborts when the process was asked to end: its start no longer waits for the database then. */
  readonly ending?: AbortSignal;
  /** The game day lays an overlay over what the files say. */
  readonly changePolicy?: (policy: PolicySet) => PolicySet;
  readonly samplesEveryMs?: number;
  /** No fsync, and gone after the end: for the game day's private server. */
  readonly disposableDatabase?: boolean;
}

export interface Runtime {
  readonly foundation: Foundation;
  /** Where the API listens; null for a role without one. */
  readonly url: string | null;
  /** `embedded PostgreSQL 18.4` or the URL without its password. */
  readonly database: string;
  /** Drains and closes everything. Safe to call twice. */
  stop(): Promise<void>;
}

/** Two for the public kinds: one may be killed, and work goes on. */
const WORKER_LANES: readonly Lane[] = ["general", "general", "internal", "executor"];

export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const role = options.lane === null ? options.role : `worker-${options.lane}`;
  const reports = createErrorReports(options.config, (lost) => log.warn("errors.lost", lost));
  const log = createProcessLog(options.config, options.writeLog, role, reports?.onError);
  const { close: stop, ...runtime } = await openInOrder((opened) => {
    // Closed last: what goes wrong at the end is told as well.
    if (reports) opened.push(() => reports.flush());
    return open({ ...options, name: role }, log, opened);
  });
  return { ...runtime, stop };
}

/** `name`: the role, and of a worker its lane. */
type Opening = RuntimeOptions & { readonly name: string };

async function open(
  options: Opening,
  log: Logger,
  opened: Close[],
): Promise<Omit<Runtime, "stop">> {
  const { config } = options;
  // First, so that an invalid policy starts nothing at all.
  const origin = options.lane === null ? await openPolicyOrigin(config, options) : null;
  const { databaseUrl, database } = await openServer(options, log, opened);
  const policy = await readPolicy(options, databaseUrl, origin, log);
  const queryTimes = new QueryTimes();
  // Workers do not collect samples, so they need not measure either.
  const measured = options.lane === null ? queryTimes : null;
  const size = poolMax(options, policy.set);
  const db = openPool(config, databaseUrl, options.name, size, log, measured);
  opened.push(() => db.close());
  const commit = await findCommit(config.commit, options.packageRoot);
  const parts = { config, databaseUrl, db, queryTimes, log, policy, role: options.name, commit };
  const foundation = layFoundation(parts);
  opened.push(foundation.tally.run(foundation));
  const url = origin === null ? null : await openParts(options, foundation, origin, opened);
  if (options.lane !== null) {
    const worker = await startWorkerProcess(foundation, { ...options, lane: options.lane });
    opened.push(worker.stop);
  }
  return { foundation, url, database };
}

/**
 * A worker process opens one more session each for its heartbeat and its listener, any other one more to see whether
 * the database is away; and the whole must not exceed HB-env-02.
 */
function poolMax({ config, lane }: RuntimeOptions, policy: PolicySet): number {
  const size = config.overrides.poolSize ?? policy.infrastructure.database.poolSize;
  return lane === null
    ? size - OUTAGE_SESSIONS
    : size - HEARTBEAT_CONNECTIONS - LISTENER_CONNECTIONS;
}

async function openServer(options: RuntimeOptions, log: Logger, opened: Close[]) {
  const { config } = options;
  if (config.database.url !== null) {
    return { databaseUrl: config.database.url, database: describeUrl(config.database.url) };
  }
  await ensureHome(config.home);
  const disposable = options.disposableDatabase === true;
  const server = await startEmbeddedPostgres({ home: config.home, log, disposable });
  opened.push(server.stop);
  return {
    databaseUrl: server.url,
    database: `embedded PostgreSQL ${server.version} in ${config.home}`,
  };
}

function describeUrl(url: string): string {
  const { host, pathname } = new URL(url);
  return `PostgreSQL at ${host}${pathname}`;
}

/** Over a session of its own, since the policy says how many the pool may open. */
async function readPolicy(
  options: RuntimeOptions,
  databaseUrl: string,
  origin: PolicyOrigin | null,
  log: Logger,
): Promise<PolicyInForce> {
  // Migrations take a lock of the session.
  const url = options.config.database.directUrl ?? databaseUrl;
  const db = openPool(options.config, url, options.role, 1, log);
  try {
    return await (origin === null
      ? awaitPolicy(options, db, log)
      : awaitPrepared(options, db, origin, log));
  } finally {
    await db.close();
  }
}

/** In a failover there is no server for a while: the process waits for it, and says so where it will listen. */
function awaitPrepared(
  options: RuntimeOptions,
  db: Database,
  origin: PolicyOrigin,
  log: Logger,
): Promise<PolicyInForce> {
  const { config, role, ending = new AbortController().signal } = options;
  return waitAtDoor(() => prepare(options, db, origin, log), {
    ...{ clock: systemClock, log, ending, limitMs: config.database.startWaitMs },
    http: role === "all" || role === "api" ? config.http : null,
  });
}

/** Brings the database up to this program and sees to it that a policy is in force. */
async function prepare(
  options: RuntimeOptions,
  db: Database,
  origin: PolicyOrigin,
  log: Logger,
): Promise<PolicyInForce> {
  const { applied } = await migrate(db, await readMigrationFiles());
  if (applied.length > 0) log.info("database.migrated", { applied: applied.join(" ") });
  return beginPolicy(db, origin, options);
}

/** Of a worker: a supervisor has published it, but the database may be away at the moment. */
function awaitPolicy(
  options: RuntimeOptions,
  db: Foundation["db"],
  log: Logger,
): Promise<PolicyInForce> {
  const orphaned = new AbortController();
  parentLink().onGone(() => orphaned.abort());
  const asked = options.ending ? [options.ending] : [];
  const ending = AbortSignal.any([orphaned.signal, ...asked]);
  return whenDatabaseAnswers(() => readPublished(db), { clock: systemClock, log, ending });
}

/** What only some roles have is loaded late: a worker is started again often, and loads no web server. */
async function openParts(
  options: RuntimeOptions,
  foundation: Foundation,
  origin: PolicyOrigin,
  opened: Close[],
): Promise<string | null> {
  const { role } = options;
  const watching = new AbortController();
  const outliving = outlivingTicks(foundation);
  const ticks = [...ticksOfEveryProcess(foundation), ...outliving.ticks];
  const watched = runTicks(ticks, foundation, watching.signal);
  opened.push(async () => {
    watching.abort();
    await watched;
    await outliving.close();
    await leaveFollowers(foundation);
  });
  if (role === "all" || role === "worker" || role === "executor") {
    const argv = [process.execPath, `${options.packageRoot}/bin/algobrain.js`, "serve"] as const;
    const workers = startWorkers(foundation, {
      argv,
      env: options.env,
      childLog: options.childLog,
      lanes: role === "executor" ? ["executor"] : WORKER_LANES,
    });
    opened.push(() => workers.stop());
  }
  if (role === "worker" || role === "executor") return null;
  const caching = await openCaching(foundation, role);
  opened.push(() => caching.close());
  const sink = createMetricsSink(foundation.config, foundation.policy(), foundation.log);
  if (sink) opened.push(() => sink.close());
  if (role === "all" || role === "orchestrator") {
    const { startControl } = await import("./main/control.js");
    const control = await startControl(foundation, { caching, origin, sink, ...options });
    opened.push(() => control.stop());
  }
  const { startEvaluating } = await import("./main/evaluating.js");
  const evaluating = await startEvaluating(foundation);
  opened.push(() => evaluating.stop());
  if (role === "orchestrator") return null;
  const { startApi } = await import("./main/api.js");
  const api = await startApi(foundation, { caching, origin, sink, ...options });
  opened.push(() => api.stop());
  return api.url;
}
