/**
 * The job that executes a run. It takes the run and its targets, keeps both while it works, and ends them
 * together. A run outlives its executor: whoever claims the job next resumes it.
 */
import { errorMessage, Fault, fault } from "../../base/fault.js";
import type { Json } from "../../base/json.js";
import type { RunbookPayload } from "../../job/payloads.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import type { Runbook } from "../../runbook/define.js";
import { executeRun } from "../../runbook/execute.js";
import type { Incidents } from "../../runbook/port.js";
import type { RunbookRegistry } from "../../runbook/registry.js";
import {
  digestOf,
  isFinal,
  type Run,
  type RunEnding,
  RunParked,
  type StepRecord,
} from "../../runbook/run.js";
import { findMisfit, leftSentence } from "../../runbook/succession.js";
import { letGoRun } from "../../store/run-leases.js";
import { readSteps } from "../../store/run-steps.js";
import { readRun } from "../../store/runs.js";
import { describeHolder, type LockHolder } from "../../store/target-locks.js";
import { type EndRunDeps, endRun, finishHeld, notBegun } from "./end-run.js";
import { createGate, type GateDeps, isAgreed, judgeRight, notAllowed } from "./run-gate.js";
import { openRunPorts, type RunPortsDeps } from "./run-ports.js";
import { superviseRun } from "./run-supervision.js";
import { RunTeller } from "./run-teller.js";
import { takeRun } from "./take-run.js";

export interface RunbookHandlerDeps
  extends RunPortsDeps,
    EndRunDeps,
    Pick<GateDeps, "approvalsMin"> {
  readonly registry: RunbookRegistry;
  /** Null when not configured: the run goes on, and its row tells what happened. */
  readonly incidents: Incidents | null;
  /** Ends what an executor that died left of this run, before its interrupted step is judged. */
  readonly reap: (runSeq: number) => Promise<unknown>;
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
        const left = isFinal(asked.status) ? asked : await work(deps, context, asked, teller);
        // What waits for people comes back with a job of its own.
        if (isFinal(left.status)) await teller.ended(left, endingOf(left));
        return { run_id: id, status: left.status, outcome: left.outcome } satisfies Json;
      } finally {
        await teller.settle();
      }
    },
  };
}

/** The run as it ended or as it waits. Throws when this executor has to let go of it, or must come back later. */
async function work(
  deps: RunbookHandlerDeps,
  context: JobContext,
  asked: Run,
  teller: RunTeller,
): Promise<Run> {
  if (asked.waitingFor !== null) {
    // It was put aside by an executor that died before it could say so.
    await teller.parked(asked);
    return asked;
  }
  const before = await readSteps(deps.db, asked.seq);
  const unfit = findUnfit(deps, asked, before);
  if (unfit) return endRun(deps, context, asked, unfit);
  const { runbook, contentHash } = deps.registry.find(asked.runbook)!;
  const isSuccessor = contentHash !== digestOf(asked.contentHash);
  // What has begun to act is not left half done because a right was taken away: a person cancels it.
  const hasActed = actedIn(before);
  const right = await judgeRight(deps, asked, runbook);
  if (right.decision === "deny" && !hasActed)
    return endRun(deps, context, asked, {
      status: "cancelled",
      outcome: notAllowed(right),
      output: null,
    });
  const mayAct = hasActed || !right.approval || (await isAgreed(deps.db, asked, right.approval));
  // What only plans hinders nobody.
  const targets = mayAct && !asked.dryRun ? runbook.locks(asked.params) : [];
  const begun = { hasActed, isSuccessor };
  const taken = await takeRun(deps.db, asked, runbook, targets);
  if ("target" in taken)
    return waitForTargets(deps, context, { run: asked, runbook, ...begun }, taken, teller);
  try {
    const work = { run: taken, runbook, ...begun };
    return await carryOut(deps, context, work, targets.length, teller);
  } catch (thrown) {
    if (!(thrown instanceof RunParked)) {
      await letGo(deps, context, taken);
      throw thrown;
    }
    const parked = { ...taken, status: "queued", waitingFor: "approval" } as const;
    await teller.parked(parked);
    return { ...parked, outcome: thrown.message };
  }
}

function actedIn(steps: readonly StepRecord[]): boolean {
  return steps.some(({ phase }) => phase === "act" || phase === "undo");
}

/** What was asked for is what runs: another version of the file is another runbook, and may only look on. */
function findUnfit(
  { registry }: RunbookHandlerDeps,
  run: Run,
  before: readonly StepRecord[],
): RunEnding | null {
  const entry = registry.find(run.runbook);
  if (entry && entry.contentHash === digestOf(run.contentHash)) return null;
  if (!actedIn(before)) return notBegun(sayChanged(run, entry !== undefined), false);
  const misfit = entry
    ? findMisfit(run, entry.runbook, before)
    : `there is no ${run.runbook} any more`;
  if (misfit === null) return null;
  const outcome = leftSentence(run, entry?.runbook ?? null, before, misfit);
  return { status: "stalled", outcome, output: null };
}

function sayChanged({ runbook }: Run, isThere: boolean): string {
  return isThere
    ? `${runbook} has changed since it was asked for, ask again`
    : `there is no ${runbook} any more`;
}

interface Work {
  readonly run: Run;
  readonly runbook: Runbook;
  /** Steps were taken by an executor before: it cannot just end as if nothing had been done. */
  readonly hasActed: boolean;
  /** The runbook is no longer the one that was asked for. */
  readonly isSuccessor: boolean;
}

/** Ends the run when it has waited as long as it may take, otherwise comes back later. */
async function waitForTargets(
  deps: RunbookHandlerDeps,
  context: JobContext,
  { run, runbook, hasActed }: Work,
  holder: LockHolder,
  teller: RunTeller,
): Promise<Run> {
  const held = describeHolder(holder);
  const giveUp = (outcome: string) => endRun(deps, context, run, notBegun(outcome, hasActed));
  if (runbook.whenLocked === "refuse")
    return giveUp(`${held} (cancel ${holder.runId} ends that one)`);
  // The time that people took to agree is not time it waited for a target.
  const since = Math.max(run.requestedAt.getTime(), context.job.createdAt.getTime());
  const waitedMs = context.now().getTime() - since;
  if (waitedMs > runbook.timeoutMs) return giveUp(`gave up waiting: ${held}`);
  await teller.waiting(`waiting: ${held}`);
  throw fault.waiting("TARGET_LOCKED", held, {
    retryAfterMs: Math.min(LOCK_RETRY_MS_MIN + waitedMs / 10, LOCK_RETRY_MS_MAX),
  });
}

async function carryOut(
  deps: RunbookHandlerDeps,
  context: JobContext,
  { run, runbook, hasActed, isSuccessor }: Work,
  heldTargets: number,
  teller: RunTeller,
): Promise<Run> {
  context.log.info("run.started", { run_id: run.id, runbook: run.runbook, actor: run.actor });
  teller.started(run);
  const supervised = { ...deps, log: context.log };
  const supervision = await superviseRun(supervised, run, runbook, heldTargets, context.signal);
  try {
    if (run.fence > 1) await deps.reap(run.seq);
    const opened = await openRunPorts(deps, {
      ...{ run, runbook, context },
      gate: createGate(deps, run, runbook),
      onProgress: (line) => teller.progress(line),
    });
    try {
      const ports = { ...opened.ports, isSuccessor };
      const ending = await executeRun(run, runbook, ports, supervision.signals);
      // Whoever watches the run sees its last line before its end.
      await opened.closeLines();
      return await finishHeld(deps, context, run, ending);
    } finally {
      await opened.close();
    }
  } catch (thrown) {
    // It may not have what it declares to touch: this executor has begun nothing of it.
    if (!(thrown instanceof Fault) || thrown.kind !== "refused") throw thrown;
    const outcome = [thrown.message, thrown.hint].filter(Boolean).join(": ");
    return finishHeld(deps, context, run, notBegun(outcome, hasActed));
  } finally {
    await supervision.stop();
  }
}

/** Another goes on at once; where that cannot be said, when the lease has ended. */
async function letGo({ db }: RunbookHandlerDeps, context: JobContext, run: Run): Promise<void> {
  try {
    await letGoRun(db, run);
  } catch (thrown) {
    context.log.warn("run.let-go-failed", { run_id: run.id, error: errorMessage(thrown) });
  }
}

function endingOf(run: Run): RunEnding {
  if (!isFinal(run.status)) throw new Error(`assertion failed: ${run.id} has ended`);
  return { status: run.status, outcome: run.outcome ?? "", output: run.output };
}
