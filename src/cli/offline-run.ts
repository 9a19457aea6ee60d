/**
 * A runbook that only reads, run in this process: for the night in which the database is away or read-only. The same
 * engine, with its record in memory; what needs a row fails with the reason, and the rest is looked at all the same.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { createShell } from "../adapter/shell.js";
import { systemClock } from "../base/clock.js";
import { errorMessage, fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import { silentLogger } from "../base/log.js";
import { createRedact, type Redact } from "../base/redact.js";
import { createRegistry } from "../main/kinds.js";
import { createSystemWays } from "../main/system-ways.js";
import { toPlain } from "../message/plain.js";
import type { PolicySet } from "../policy/policy.js";
import { absentAws } from "../runbook/aws-verbs.js";
import type { Runbook } from "../runbook/define.js";
import { executeRun } from "../runbook/execute.js";
import type { ExecutionPorts } from "../runbook/execution.js";
import { createMemoryRecorder } from "../runbook/memory-recorder.js";
import type { RegisteredRunbook } from "../runbook/registry.js";
import { pinOf, type Run, type RunEnding, RunStopped } from "../runbook/run.js";
import { endingMessage } from "../runbook/telling.js";
import type { Config } from "../runtime/config.js";
import { readConnectionFacts } from "../runtime/connection-facts.js";
import { countDueRows } from "../runtime/due-rows.js";
import { FileJournal } from "../runtime/journal.js";
import { openJournalFiles } from "../runtime/journal-files.js";
import { loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import { createStopSwitch } from "../runtime/stop-file.js";
import { type Database, openDatabase } from "../store/database.js";
import { createDatabaseReader, createDatabaseWriter } from "../store/database-care.js";
import { createRuntimeReader, createRuntimeWriter } from "../store/runbook-runtime.js";
import { createSystemReader, createSystemWriter } from "../store/system-care.js";
import { createWorkloadReader } from "../store/workload-care.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";
import { openConfig } from "./settings.js";

/** A server that is away must not take the patience of a person. */
const ANSWER_MS = 3_000;

/** Exit code: 0 only when it succeeded. Throws a refused Fault for a runbook that changes something. */
export async function runOffline(
  { runbook, contentHash }: RegisteredRunbook,
  params: JsonObject,
  io: CommandIo,
): Promise<number> {
  if (runbook.danger !== "R")
    throw fault.refused(
      "OFFLINE_READS_ONLY",
      `${runbook.name} changes something: without the database nobody could bound it, record it or take it back`,
      { hint: "runbooks that only read run offline: see algobrain runbook list" },
    );
  const config = await openConfig(io);
  const redact = createRedact(config.secrets);
  const db = openQuickly(config);
  try {
    io.err("offline: nothing is recorded but in the journal of this machine");
    await tellConnection(config, db, io, redact);
    const run = makeRun(runbook, contentHash, params, io);
    const ending = await execute(run, runbook, await portsOf(config, db, redact, io));
    io.out(toPlain(endingMessage(run, ending, runbook)));
    await journalRun(config, run, ending, io);
    return ending.status === "succeeded" ? EXIT_OK : EXIT_FAILED;
  } finally {
    await db.close();
  }
}

async function tellConnection(
  config: Config,
  db: Database,
  io: CommandIo,
  redact: Redact,
): Promise<void> {
  if (config.database.url === null)
    return io.err("database: the embedded one, which this does not start");
  const { lines } = await readConnectionFacts(config.database.url, db);
  for (const line of lines) io.err(`database ${redact(line)}`);
}

function openQuickly({ database }: Config): Database {
  if (database.url === null) return nobody("the embedded database is not started for this");
  return openDatabase({
    url: database.url,
    ssl: database.ssl,
    poolMax: 2,
    applicationName: "algobrain-cli",
    connectTimeoutMs: ANSWER_MS,
    statementTimeoutMs: ANSWER_MS,
  });
}

/** A database that answers nothing: in place of one that is not there, and of one that must not be written to. */
function nobody(why: string): Database {
  const refuse = () => Promise.reject(fault.transient("DATABASE_UNAVAILABLE", why));
  return { query: refuse, transaction: refuse, connect: refuse, close: async () => {} };
}

async function execute(run: Run, runbook: Runbook, ports: ExecutionPorts): Promise<RunEnding> {
  const late = new RunStopped("failed", "it took longer than it may");
  const deadline = new AbortController();
  const ended = new AbortController();
  const timer = systemClock
    .sleep(runbook.timeoutMs, ended.signal)
    .then(() => ended.signal.aborted || deadline.abort(late));
  const never = new AbortController().signal;
  try {
    return await executeRun(run, runbook, ports, { stop: deadline.signal, letGo: never });
  } catch (thrown) {
    // Nobody else could resume it.
    return { status: "failed", outcome: errorMessage(thrown), output: null };
  } finally {
    ended.abort();
    await timer;
  }
}

async function portsOf(
  config: Config,
  db: Database,
  redact: Redact,
  io: CommandIo,
): Promise<ExecutionPorts> {
  const clock = systemClock;
  const policy = await readPolicy(config, io);
  const shell = createShell({ redact, path: io.env.PATH });
  const closed = nobody("a run offline writes nothing");
  const ground = { config, policy: () => policy, log: silentLogger, clock, redact };
  const ways = createSystemWays({ ...ground, emit: () => {}, notify: async () => {} });
  const care = {
    backupsDir: join(config.home, "backups"),
    directUrl: config.database.directUrl ?? config.database.url ?? "",
    ...{ ssl: config.database.ssl, environment: config.environment, shell },
    now: () => clock.now(),
    poolSize: () => policy.infrastructure.database.poolSize,
  };
  const check = createRegistry();
  const checkPayload = (kind: string, payload: JsonObject) => check.checkPayload(kind, payload);
  const { workerDeadAfterMs } = policy.healing;
  const stop = createStopSwitch({
    ...{ db: null, clock, log: silentLogger },
    file: config.stopFile ?? join(config.home, "STOP"),
  });
  return {
    recorder: createMemoryRecorder((line) => io.out(`  ${line}`)),
    readers: {
      runtime: createRuntimeReader(db, { workerDeadAfterMs, check: checkPayload }),
      database: createDatabaseReader(db, care),
      system: createSystemReader(db, ways),
      workload: createWorkloadReader(db, {
        due: (sql) => countDueRows(sql, policy, clock.now()),
      }),
      aws: NO_AWS,
    },
    writers: () => ({
      runtime: createRuntimeWriter(closed, {
        ...{ actor: io.actor, runId: "run-0", now: () => clock.now(), check: checkPayload },
      }),
      database: createDatabaseWriter(closed, care),
      system: createSystemWriter(closed, io.actor, ways),
      aws: NO_AWS,
    }),
    ...{ shell, stop, redact },
    gate: async () => {},
    original: null,
    now: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}

const NO_AWS = absentAws(
  "a run offline asks nothing of AWS",
  "start it through the API, Slack or PagerDuty: the executor has the session for it",
);

/** That of the files: what is in force stands in the database. */
async function readPolicy(config: Config, io: CommandIo): Promise<PolicySet> {
  const { policySource, environment } = config;
  const path = policySource.kind === "directory" ? policySource.path : "policies";
  const checked = loadDirectory(await readPolicyDirectory(path, io), environment);
  if (checked.ok) return checked.value;
  throw fault.refused("POLICY_INVALID", "the policies are invalid", {
    hint: "see: algobrain policy check",
  });
}

function makeRun(runbook: Runbook, contentHash: string, params: JsonObject, io: CommandIo): Run {
  const now = systemClock.now();
  return {
    ...{ seq: 0, id: "offline", runbook: runbook.name, params, actor: io.actor, role: "admin" },
    ...{ door: "cli", reason: null, dryRun: false, contentHash: pinOf(contentHash) },
    ...{ status: "running", plan: null, outcome: null, output: null, automation: null },
    ...{ incidentId: null, alertLevel: null, chat: null, fence: 0, requestedAt: now },
    ...{ startedAt: now, endedAt: null, commit: null, targets: [], person: null },
    ...{ waitingFor: null, boundHash: null, undoOf: null, undone: null, verified: null },
    ...{ causeKey: null, causeDepth: 0, isDrill: false, deadlineAt: null, leaseUntil: null },
    jobSeq: null,
  };
}

async function journalRun(
  config: Config,
  { runbook, params, actor: by, requestedAt }: Run,
  { outcome }: RunEnding,
  io: CommandIo,
): Promise<void> {
  const files = openJournalFiles(config.journalDir ?? join(config.home, "journal"));
  const journal = new FileJournal({
    files,
    clock: systemClock,
    log: silentLogger,
    pid: process.pid,
  });
  const unique = randomBytes(4).toString("hex");
  const key = `terminal-run/${hostname()}/${requestedAt.toISOString()}/${unique}`;
  try {
    await journal.append({ kind: "terminal-run", key, runbook, params, by, outcome });
  } catch (thrown) {
    io.err(`not journalled: ${errorMessage(thrown)}`);
  } finally {
    await journal.close();
  }
}
