/**
 * The job that executes a run. It takes the run and its targets, keeps both while it works, and ends them
 * together. A run outlives its executor: whoever claims the job next resumes it.
 */
import type { Clock } from "../../base/clock.js";
import { formatAge } from "../../base/duration.js";
import { Fault, fault } from "../../base/fault.js";
import type { Json } from "../../base/json.js";
import type { RunbookPayload } from "../../job/payloads.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Runbook } from "../../runbook/define.js";
import { executeRun } from "../../runbook/execute.js";
import type {
  Chat,
  DatabaseReader,
  DatabaseWriter,
  Incidents,
  Shell,
  SystemReader,
  SystemWriter,
} from "../../runbook/port.js";
import type { RunbookRegistry } from "../../runbook/registry.js";
import { isFinal, type Run, type RunEnding } from "../../runbook/run.js";
import type { Database } from "../../store/database.js";
import { createRecorder } from "../../store/run-recorder.js";
import { readSteps } from "../../store/run-steps.js";
import { createRuntimeReader, createRuntimeWriter } from "../../store/runbook-runtime.js";
import { finishRun, readRun, startRun } from "../../store/runs.js";
import { type LockHolder, takeTargetLocks } from "../../store/target-locks.js";
import { superviseRun } from "./run-supervision.js";
import { RunTeller } from "./run-teller.js";

export interface RunbookHandlerDeps {
  readonly db: Database;
  readonly registry: RunbookRegistry;
  readonly policy: () => PolicySet;
  readonly shell: Shell;
  readonly clock: Clock;
  /** Null when not configured: the run goes on, and its row tells what happened. */
  readonly chat: Chat | null;
  readonly incidents: Incidents | null;
  readonly database: DatabaseReader & DatabaseWriter;
  readonly system: SystemReader & SystemWriter;
}

/** Looks for its targets grow rarer the longer they are held. */
const LOCK_RETRY_MS_MIN = 1_000;
const LOCK_RETRY_MS_MAX = 15_000;

export function createRunbookHandler(deps: RunbookHandlerDeps): JobHandler {
  return {
    kind: "runbook",
    run: async (context) => {
      const { run_id: id } = context.job.payload as RunbookPayload;
      const asked = await readRun(deps.db, id);
      if (!asked) throw fault.data("RUN_UNKNOWN", `there is no ${id}`);
      const runbook = deps.registry.find(asked.runbook)?.runbook ?? null;
      const teller = new RunTeller(deps, asked, runbook, context);
      // An ended run comes here again when people could not be told: telling is all that is left.
      try {
        const ended = isFinal(asked.status) ? asked : await work(deps, context, asked, teller);
        await teller.ended(ended, endingOf(ended));
        return { run_id: id, status: ended.status, outcome: ended.outcome } satisfies Json;
      } finally {
        await teller.settle();
      }
    },
  };
}

/** The run as it ended. Throws when this executor has to let go of it, or must come back later. */
async function work(
  deps: RunbookHandlerDeps,
  context: JobContext,
  asked: Run,
  teller: RunTeller,
): Promise<Run> {
  const unfit = await findUnfit(deps, asked);
  if (unfit) return end(deps, asked, unfit);
  const { runbook } = deps.registry.find(asked.runbook)!;
  const taken = await takeRun(deps, asked, runbook.locks(asked.params));
  if ("target" in taken) return waitForTargets(deps, context, asked, runbook, taken, teller);
  context.log.info("run.started", { run_id: taken.id, runbook: taken.runbook, actor: taken.actor });
  teller.started(taken);
  const ending = await execute(deps, context, taken, runbook, teller);
  return finish(deps, context, taken, ending);
}

/** What was asked for is what runs: another version of the file is another runbook. */
async function findUnfit(
  { db, registry }: RunbookHandlerDeps,
  run: Run,
): Promise<RunEnding | null> {
  const entry = registry.find(run.runbook);
  if (entry?.contentHash === run.contentHash) return null;
  const hasActed = (await readSteps(db, run.seq)).some(({ phase }) => phase === "act");
  const what = entry ? `${run.runbook} has changed since` : `there is no ${run.runbook} any more`;
  return {
    status: hasActed ? "stalled" : "failed",
    outcome: hasActed
      ? `${what}, and steps had been taken: look before you ask again`
      : `${what} it was asked for: nothing was done, ask again`,
    output: null,
  };
}

/** Thrown to roll the transaction back. */
class TargetHeld extends Error {
  readonly holder: LockHolder;

  constructor(holder: LockHolder) {
    super(`${holder.target} is held by ${holder.runId}`);
    this.holder = holder;
  }
}

/** Run and targets at once, or neither. */
async function takeRun(
  { db }: RunbookHandlerDeps,
  asked: Run,
  targets: readonly string[],
): Promise<Run | LockHolder> {
  try {
    return await db.transaction(async (tx) => {
      const run = await startRun(tx, asked.id);
      if (!run) throw fault.waiting("RUN_LOST", `${asked.id} ended in this moment`);
      const holder = await takeTargetLocks(tx, run.seq, targets);
      if (holder) throw new TargetHeld(holder);
      return run;
    });
  } catch (thrown) {
    if (thrown instanceof TargetHeld) return thrown.holder;
    throw thrown;
  }
}

/** Ends the run when it has waited as long as it may take, otherwise comes back later. */
async function waitForTargets(
  deps: RunbookHandlerDeps,
  context: JobContext,
  run: Run,
  runbook: Runbook,
  holder: LockHolder,
  teller: RunTeller,
): Promise<Run> {
  const held = `${holder.target} is held by ${holder.runId} of ${holder.actor} for ${formatAge(holder.heldForMs)}`;
  const waitedMs = context.now().getTime() - run.requestedAt.getTime();
  if (waitedMs > runbook.timeoutMs)
    return end(deps, run, { status: "failed", outcome: `gave up waiting: ${held}`, output: null });
  await teller.waiting(`waiting: ${held}`);
  throw fault.waiting("TARGET_LOCKED", held, {
    retryAfterMs: Math.min(LOCK_RETRY_MS_MIN + waitedMs / 10, LOCK_RETRY_MS_MAX),
  });
}

async function execute(
  deps: RunbookHandlerDeps,
  context: JobContext,
  run: Run,
  runbook: Runbook,
  teller: RunTeller,
): Promise<RunEnding> {
  const { db, clock, shell } = deps;
  const supervision = superviseRun({ db, clock, log: context.log }, run, runbook, context.signal);
  const ports = {
    recorder: createRecorder(db, run, (line) => teller.progress(line)),
    readers: {
      runtime: createRuntimeReader(db, {
        workerDeadAfterMs: deps.policy().healing.workerDeadAfterMs,
      }),
      database: deps.database,
      system: deps.system,
    },
    writers: {
      runtime: createRuntimeWriter(db, run.actor, () => context.now()),
      database: deps.database,
      system: deps.system,
    },
    shell,
    now: () => context.now(),
    sleep: (ms: number, signal: AbortSignal) => clock.sleep(ms, signal),
  };
  try {
    return await executeRun(run, runbook, ports, supervision.signal);
  } finally {
    await supervision.stop();
  }
}

async function finish(
  { db }: RunbookHandlerDeps,
  context: JobContext,
  run: Run,
  ending: RunEnding,
): Promise<Run> {
  await db.transaction((tx) => finishRun(tx, run, ending));
  const ended = await readRun(db, run.id);
  // Somebody else holds it: what they make of it is theirs to tell.
  if (!ended || !isFinal(ended.status))
    throw fault.waiting("RUN_LOST", `${run.id} was taken by another executor`);
  context.log.info("run.ended", {
    run_id: run.id,
    runbook: run.runbook,
    status: ended.status,
    outcome: ended.outcome,
  });
  return ended;
}

/** Ends a run that never got to work. */
async function end({ db }: RunbookHandlerDeps, run: Run, ending: RunEnding): Promise<Run> {
  await db.transaction(async (tx) => {
    const taken = await startRun(tx, run.id);
    if (taken) await finishRun(tx, taken, ending);
  });
  const ended = await readRun(db, run.id);
  if (!ended) throw new Fault("transient", "RUN_LOST", `${run.id} is gone`);
  return ended;
}

function endingOf(run: Run): RunEnding {
  if (!isFinal(run.status)) throw new Error(`assertion failed: ${run.id} has ended`);
  return { status: run.status, outcome: run.outcome ?? "", output: run.output };
}
