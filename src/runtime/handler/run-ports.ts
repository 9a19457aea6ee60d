/** What a run works with while it works: its record, its lines, its bounded reach, and the end of all that. */
import type { Clock } from "../../base/clock.js";
import { pick } from "../../base/pick.js";
import { createRedact, type Redact } from "../../base/redact.js";
import type { JobContext } from "../../job/port.js";
import type { PolicySet } from "../../policy/policy.js";
import type { AwsReader, AwsWriter, OpenedAws } from "../../runbook/aws-port.js";
import { readingAws, UNDECLARED_AWS } from "../../runbook/aws-verbs.js";
import type { DatabaseReader, DatabaseWriter } from "../../runbook/database-port.js";
import type { Runbook } from "../../runbook/define.js";
import type { ExecutionPorts, Original, Recorder } from "../../runbook/execution.js";
import type { Programs, Readers, Shell, SystemReader, SystemWriter } from "../../runbook/port.js";
import type { Run } from "../../runbook/run.js";
import type { StopSwitchPort } from "../../runbook/stop.js";
import type { WorkloadReader } from "../../runbook/workload-port.js";
import type { Database, Sql } from "../../store/database.js";
import { heldBy } from "../../store/run-leases.js";
import { createRecorder } from "../../store/run-recorder.js";
import { readSteps } from "../../store/run-steps.js";
import type { CheckPayload } from "../../store/runbook-jobs.js";
import { createRuntimeReader, createRuntimeWriter } from "../../store/runbook-runtime.js";
import { readRun } from "../../store/runs.js";
import type { OpenedPower } from "../executor/power.js";
import { processKey } from "../process-key.js";
import { LineKeeper } from "./line-keeper.js";

/** What runbooks may know and do of the database server and of the system around the jobs. */
export interface Care {
  readonly database: DatabaseReader & DatabaseWriter;
  readonly system: SystemReader & SystemWriter;
}

export interface RunPortsDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  readonly clock: Clock;
  readonly shell: Shell;
  readonly stop: Pick<StopSwitchPort, "read">;
  readonly redact: Redact;
  /** `programs`: how it starts what it needs, such as pg_dump. */
  readonly care: (db: Database, actor: string, programs: Programs) => Care;
  readonly workload: (sql: Sql) => WorkloadReader;
  /** Whether a payload fits its kind. */
  readonly checkPayload: CheckPayload;
  readonly openPower: (
    run: Run,
    runbook: Runbook,
  ) => Promise<Pick<OpenedPower, "db" | "secrets" | "close">>;
  /** For a runbook that declares what it needs there: a session with no more than that. */
  readonly openAws: (
    run: Run,
    runbook: Runbook,
    signal: AbortSignal,
  ) => Promise<Pick<OpenedAws, "aws" | "close">>;
  /** For tests that let an executor die between two writes. */
  readonly wrapRecorder?: ((recorder: Recorder) => Recorder) | undefined;
}

export interface OpenedPorts {
  readonly ports: ExecutionPorts;
  /** Resolves when the last line is written. */
  closeLines(): Promise<void>;
  /** And when nothing is left that could reach further. */
  close(): Promise<void>;
}

export interface RunPortsOptions {
  readonly run: Run;
  readonly runbook: Runbook;
  readonly context: JobContext;
  readonly gate: ExecutionPorts["gate"];
  /** Each line that people may see, as it comes. */
  readonly onProgress: (line: string) => void;
}

/** Throws a refused fault when the run may not have what it declares to touch. */
export async function openRunPorts(
  deps: RunPortsDeps,
  options: RunPortsOptions,
): Promise<OpenedPorts> {
  const { run, runbook, context, gate, onProgress } = options;
  const { db, clock, stop } = deps;
  const original = await readOriginal(db, run);
  const lines = await LineKeeper.open({ sql: db, clock, log: context.log }, run);
  const power = await deps.openPower(run, runbook);
  const hide = createRedact(power.secrets);
  const { aws, close: closeAws } = await openAwsOf(deps, options).catch(async (error) => {
    await power.close();
    throw error;
  });
  const recorder = createRecorder(
    {
      ...{ db, executorKey: processKey(process.pid) },
      onLine: (step, stream, text) => {
        lines.add(step, stream, text);
        onProgress(text);
      },
    },
    run,
  );
  const ports: ExecutionPorts = {
    recorder: deps.wrapRecorder?.(recorder) ?? recorder,
    ...reach(deps, { db: power.db, aws }, run, context),
    ...{ shell: deps.shell, stop, gate, original },
    redact: (text) => hide(deps.redact(text)),
    now: () => context.now(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
  return {
    ports,
    closeLines: () => lines.close(),
    close: async () => {
      await lines.close();
      await closeAws();
      await power.close();
    },
  };
}

async function openAwsOf(
  deps: RunPortsDeps,
  { run, runbook, context }: RunPortsOptions,
): Promise<Pick<OpenedAws, "aws" | "close">> {
  if (runbook.touches.aws === undefined) return { aws: UNDECLARED_AWS, close: async () => {} };
  return deps.openAws(run, runbook, context.signal);
}

/** All reads and writes of the run go over what its role may, and every write under its fence. */
function reach(
  { care, workload, policy, checkPayload: check }: RunPortsDeps,
  { db, aws }: { readonly db: Database; readonly aws: AwsReader & AwsWriter },
  run: Run,
  context: JobContext,
): Pick<ExecutionPorts, "readers" | "writers"> {
  const { workerDeadAfterMs } = policy().healing;
  const { actor } = run;
  const held = heldBy(db, run);
  return {
    readers: {
      runtime: createRuntimeReader(db, { workerDeadAfterMs, check }),
      ...readingHalf(care(db, actor, NO_PROGRAMS)),
      workload: workload(db),
      aws: readingAws(aws),
    },
    writers: (programs) => ({
      runtime: createRuntimeWriter(held, { actor, runId: run.id, check, now: () => context.now() }),
      ...care(held, actor, programs),
      aws,
    }),
  };
}

/** What only reads starts none. */
const NO_PROGRAMS: Programs = {
  run: async ([program]) => {
    throw new Error(`assertion failed: ${program} was started by what only reads`);
  },
};

const DATABASE_READS: Readonly<Record<keyof DatabaseReader, true>> = {
  sessions: true,
  connections: true,
  sessionsByUser: true,
  backups: true,
  counts: true,
  backupRoom: true,
  checkBackup: true,
  lookInto: true,
  restored: true,
};
const SYSTEM_READS: Readonly<Record<keyof SystemReader, true>> = {
  diagnose: true,
  brokenInvariants: true,
  dependencies: true,
  probe: true,
  criticalPaths: true,
  incident: true,
  openIncidents: true,
  temporaryChanges: true,
};

/** What plans, checks and runbooks that only read are handed: what is named here, so that nothing new slips in. */
function readingHalf({ database, system }: Care): Pick<Readers, "database" | "system"> {
  return { database: pick(database, DATABASE_READS), system: pick(system, SYSTEM_READS) };
}

async function readOriginal(db: Database, { undoOf }: Run): Promise<Original | null> {
  if (undoOf === null) return null;
  const run = await readRun(db, `run-${undoOf}`);
  const steps = await readSteps(db, undoOf);
  return { id: `run-${undoOf}`, plan: run?.plan ?? null, steps };
}
