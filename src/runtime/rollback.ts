/**
 * Undoes what a handler had done, last act first (HB-heal-04). Each compensation is safe to repeat, and its end is kept
 * before the next one begins; another worker goes on there when this one dies
 * (docs/decisions/0069-a-rollback-is-finished-first.md).
 */
import { errorMessage, Fault } from "../base/fault.js";
import { type HealingDecision, storableError } from "../job/heal.js";
import type { JobContext, JobHandler } from "../job/port.js";
import { type Compensation, listCompensations } from "../store/compensations.js";
import { isStatementRefused, type Sql } from "../store/database.js";
import { beginRollback, checkpointRollback } from "../store/job-rollbacks.js";
import { type InsistDeps, insist } from "./insist.js";
import type { StopSwitch } from "./stop-switch.js";

export interface RollbackDeps extends InsistDeps {
  readonly db: Sql;
}

export interface Undoing {
  readonly handler: JobHandler;
  readonly context: JobContext;
  /** That of the context. */
  readonly stop: StopSwitch;
  /** Redacted. */
  readonly cause: Fault;
}

export interface RolledBack {
  /** False: the job is another's by now, and so is the rest of its rollback. */
  readonly isOurs: boolean;
  /** What could not be undone, in one sentence; null: everything that was declared is undone. */
  readonly failure: string | null;
}

/** For all compensations of one job together, in one worker. */
const ROLLBACK_TIMEOUT_MS = 60_000;
const LOST: RolledBack = { isOurs: false, failure: null };

export async function rollBack(undoing: Undoing, deps: RollbackDeps): Promise<RolledBack> {
  const { context, stop, cause } = undoing;
  const { job } = context;
  const left = await listCompensations(deps.db, job.seq);
  if (left.length === 0) return { isOurs: true, failure: null };
  const kept = new Fault(cause.kind, cause.code, storableError(cause.message));
  if (!(await beginRollback(deps.db, job, kept))) return LOST;
  const failures: string[] = [];
  const deadline = AbortSignal.timeout(ROLLBACK_TIMEOUT_MS);
  deadline.addEventListener("abort", () => stop.stop("timeout"), { once: true });
  for (const one of left) {
    const failure = await undo(one, undoing, deadline);
    // The others may still be undone, and a person looks at the rest.
    if (failure !== null) failures.push(`${one.name}: ${failure}`);
    const undone = failure === null ? one.ordinal : null;
    if (!(await checkpoint(context, undone, deps))) return LOST;
  }
  return {
    isOurs: true,
    failure: failures.length === 0 ? null : `not undone: ${failures.join("; ")}`,
  };
}

/** Why it failed; null: it is undone. */
async function undo(
  { name, input }: Compensation,
  { handler, context }: Undoing,
  deadline: AbortSignal,
): Promise<string | null> {
  try {
    const compensate = handler.compensations?.[name];
    if (compensate === undefined) return "the handler no longer knows it";
    if (deadline.aborted) throw tooLate();
    await beforeDeadline(compensate(input, context), deadline);
    return null;
  } catch (error) {
    return errorMessage(error);
  }
}

/** Until it is written: with the database away it waits, lest what is undone be undone once more. */
function checkpoint(
  { job }: JobContext,
  undone: number | null,
  deps: RollbackDeps,
): Promise<boolean> {
  return insist(() => checkpointRollback(deps.db, job, undone), deps, isStatementRefused);
}

const tooLate = () => new Error(`no end within ${ROLLBACK_TIMEOUT_MS} ms`);

async function beforeDeadline(work: Promise<void>, deadline: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const late = new Promise<never>((_resolve, reject) => {
    deadline.addEventListener("abort", () => reject(tooLate()), { signal: ended.signal });
  });
  try {
    await Promise.race([work, late]);
  } finally {
    ended.abort();
  }
}

/** The decision with what is known after the rollback: its outcome, and who must look. */
export function afterRollback(decision: HealingDecision, failure: string | null): HealingDecision {
  if (decision.action === null) return decision;
  const success = failure === null;
  return {
    ...decision,
    settle: success
      ? decision.settle
      : { ...decision.settle, error: storableError(`${decision.settle.error} (${failure})`) },
    action: { ...decision.action, success, operatorNotified: !success },
    notify: success ? null : "operator",
  };
}
