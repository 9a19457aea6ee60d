/** The last step of a job: its outcome becomes a row, in one transaction, and is told. */
import { assert, unreachable } from "../base/assert.js";
import type { Clock } from "../base/clock.js";
import { Fault, fault } from "../base/fault.js";
import type { Json } from "../base/json.js";
import { decideHealing, type HealingDecision, resumeRollback } from "../job/heal.js";
import type { HeldJob } from "../job/job.js";
import type { Outcome } from "../job/outcome.js";
import type { JobHandler } from "../job/port.js";
import type { PolicySet } from "../policy/policy.js";
import { type Database, isStatementRefused } from "../store/database.js";
import { fillHealingOutcome } from "../store/healing.js";
import { dropCompensations, endRollback } from "../store/job-rollbacks.js";
import { completeJob, releaseJob } from "../store/job-settle.js";
import { type CarryOutDeps, carryOut, carryOutNow, tell } from "./carry-out.js";
import type { Completions } from "./completions.js";
import { type OfJob, ofJob } from "./events.js";
import { type ExecuteDeps, type Execution, LiveContext } from "./execute.js";
import { insist } from "./insist.js";
import { afterRollback, rollBack } from "./rollback.js";
import { StopSwitch } from "./stop-switch.js";

export interface SettleDeps extends CarryOutDeps, ExecuteDeps {
  readonly db: Database;
  readonly completions: Completions;
  readonly clock: Clock;
  readonly policy: () => PolicySet;
  readonly handlers: ReadonlyMap<string, JobHandler>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly redact: (text: string) => string;
  /** `<kind>-worker-<process number>`. */
  readonly workerIdOf: (kind: string) => string;
}

export interface Settling {
  readonly execution: Execution;
  readonly outcome: Outcome;
  readonly durationMs: number;
}

const UNSTORABLE_MESSAGE = "the database refused the text of this error";

/**
 * Until it is written: with the database away, the outcome waits for it, and the heartbeat ends the
 * process when that takes longer than its lease. Rejects only when even a failure cannot be written.
 */
export async function settleJob(settling: Settling, deps: SettleDeps): Promise<void> {
  let { outcome } = settling;
  for (;;) {
    const now = { ...settling, outcome };
    try {
      return await insist(() => settleNow(now, deps), deps, isStatementRefused);
    } catch (error) {
      outcome = storableOf(outcome, error);
    }
  }
}

async function settleNow(settling: Settling, deps: SettleDeps): Promise<void> {
  const { execution, outcome } = settling;
  if (outcome.verdict !== "completed" || !isPlain(execution)) return settleOnce(settling, deps);
  const moved = await deps.completions.complete(execution.job, outcome.result);
  tellEnd(settling, moved, deps);
}

/**
 * What most jobs do, without a promise for each: true when it is on its way; `done` then hears the error, if any, and
 * nothing of it is written. False: it takes `settleJob`.
 */
export function settlePlain(
  settling: Settling,
  deps: SettleDeps,
  done: (error: unknown) => void,
): boolean {
  const { execution, outcome } = settling;
  if (outcome.verdict !== "completed" || !isPlain(execution)) return false;
  deps.completions.write(execution.job, outcome.result, (error, moved) => {
    if (!error) tellEnd(settling, moved, deps);
    done(error);
  });
  return true;
}

/** What can be written where the outcome was refused: of a fault its kind and code remain. Throws what was refused twice. */
function storableOf(outcome: Outcome, refused: unknown): Outcome {
  if (outcome.verdict === "completed") return { verdict: "faulted", fault: unstorable(refused) };
  if (outcome.verdict !== "faulted" || outcome.fault.message === UNSTORABLE_MESSAGE) throw refused;
  const { kind, code } = outcome.fault;
  const plain = new Fault(kind, code, UNSTORABLE_MESSAGE, { cause: outcome.fault });
  return { ...outcome, fault: plain };
}

function unstorable(cause: unknown): Fault {
  return fault.data("RESULT_UNSTORABLE", "the database refused the result of the handler", {
    cause,
    hint: "a result is JSON without U+0000, of less than 255 MB",
  });
}

async function settleOnce(settling: Settling, deps: SettleDeps): Promise<void> {
  const { outcome } = settling;
  switch (outcome.verdict) {
    case "completed":
      return complete(settling, outcome.result, deps);
    case "faulted":
      return heal(settling, outcome, deps);
    case "released":
      return release(settling, deps);
    case "lost":
      return deps.emit({ event: "job.lost", ...about(settling.execution.job, deps) });
    default:
      return unreachable(outcome);
  }
}

async function complete(settling: Settling, result: Json, deps: SettleDeps): Promise<void> {
  tellEnd(settling, await completeHealed(settling.execution.job, result, deps.db), deps);
}

/** A row that was moved by nothing but its first claim has no healing behind it, and most have nothing to undo. */
function isPlain({ job, declared }: Execution): boolean {
  return job.fence === 1 && !declared.any;
}

function tellEnd({ execution, durationMs }: Settling, moved: boolean, deps: SettleDeps): void {
  const told = about(execution.job, deps);
  if (moved) deps.emit({ event: "job.completed", ...told, duration_ms: durationMs });
  else deps.emit({ event: "job.lost", ...told });
}

/** The healing before this try has helped, and nothing is left to undo. */
function completeHealed(job: HeldJob, result: Json, db: Database): Promise<boolean> {
  return db.transaction(async (tx) => {
    if (!(await completeJob(tx, job, result))) return false;
    await fillHealingOutcome(tx, job.seq, true);
    await dropCompensations(tx, job.seq);
    return true;
  });
}

type Faulted = Extract<Outcome, { readonly verdict: "faulted" }>;

async function heal(settling: Settling, outcome: Faulted, deps: SettleDeps): Promise<void> {
  const { job } = settling.execution;
  const cause = redacted(outcome.fault, deps.redact);
  const decision = outcome.resumes ? resumeRollback(cause, job) : decide(settling, cause, deps);
  if (decision.settle.move === "rollback") return undo(settling, cause, decision, deps);
  return carryOutNow(deps.db, { job, decision, workerId: deps.workerIdOf(job.kind) }, deps);
}

function decide(settling: Settling, cause: Fault, deps: SettleDeps): HealingDecision {
  const { job, rules } = settling.execution;
  return decideHealing({
    fault: cause,
    job,
    healing: deps.policy().healing,
    kind: rules,
    now: deps.clock.now(),
    random: deps.random(),
  });
}

async function undo(
  { execution }: Settling,
  cause: Fault,
  decision: HealingDecision,
  deps: SettleDeps,
): Promise<void> {
  const { job } = execution;
  const handler = deps.handlers.get(job.kind);
  assert(handler !== undefined, `a job of kind "${job.kind}" ran without a handler`);
  // The handler's own signal may have been aborted; undoing has a deadline of its own.
  const stop = new StopSwitch();
  execution.undoing = stop;
  const context = new LiveContext({ ...execution, stop }, handler, deps);
  const { isOurs, failure } = await rollBack({ handler, context, stop, cause }, deps);
  if (!isOurs) return deps.emit({ event: "job.lost", ...about(job, deps) });
  const decided = {
    ...{ job, workerId: deps.workerIdOf(job.kind) },
    decision: afterRollback(decision, failure === null ? null : deps.redact(failure)),
  };
  const moved = await deps.db.transaction(async (tx) => {
    const ours = await carryOut(tx, decided, deps);
    if (ours) await endRollback(tx, job.seq);
    return ours;
  });
  tell(decided, moved, deps.emit);
}

/** Foreign systems quote what they were sent: the error column and the chat must not. */
function redacted(thrown: Fault, redact: (text: string) => string): Fault {
  return new Fault(thrown.kind, thrown.code, redact(thrown.message), {
    retryAfterMs: thrown.retryAfterMs,
    cause: thrown,
  });
}

async function release(settling: Settling, deps: SettleDeps): Promise<void> {
  const { job } = settling.execution;
  const moved = await releaseJob(deps.db, job);
  deps.emit({ event: moved ? "job.released" : "job.lost", ...about(job, deps) });
}

function about(job: HeldJob, deps: SettleDeps): OfJob {
  return ofJob(job, deps.workerIdOf(job.kind));
}
