/**
 * The jobs of dead workers, back to work: healing decides as for any failure (HB-heal-02). Called by
 * the orchestrator's tick for workers that stopped beating, and by the supervisor the moment one exits.
 */
import type { Clock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { decideHealing } from "../job/heal.js";
import type { HeldJob } from "../job/job.js";
import type { PolicySet } from "../policy/policy.js";
import type { Database, Sql } from "../store/database.js";
import { markWorker, takeJobsOfDeadWorker, takeOrphanedJobs } from "../store/workers.js";
import { type CarryOutDeps, carryOut, type Decided, tell } from "./carry-out.js";
import { kindWorkerId } from "./events.js";
import { rulesOf } from "./kind-rules.js";
import { afterRollback } from "./rollback.js";

export interface RecoverDeps extends CarryOutDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly policy: () => PolicySet;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Returns how many jobs were taken from it. Harmless when repeated, and for a worker that had none. */
export async function recoverWorker(workerId: string, deps: RecoverDeps): Promise<number> {
  const decided = await deps.db.transaction(async (tx) => {
    await markWorker(tx, workerId, "dead");
    return healAll(tx, await takeJobsOfDeadWorker(tx, workerId), numberOf(workerId), deps);
  });
  tellAll(decided, deps);
  if (decided.length > 0) {
    deps.emit({ event: "worker.recovered", worker_id: workerId, jobs: decided.length });
  }
  return decided.length;
}

/** Running rows that no known worker holds: inserted by hand, or their worker's row was deleted. */
export async function recoverOrphans(olderThanMs: number, deps: RecoverDeps): Promise<number> {
  const decided = await deps.db.transaction(async (tx) =>
    healAll(tx, await takeOrphanedJobs(tx, olderThanMs), 0, deps),
  );
  tellAll(decided, deps);
  return decided.length;
}

/** One transaction: either all jobs of the worker are healed, or the next tick finds them all again. */
async function healAll(
  tx: Sql,
  jobs: readonly HeldJob[],
  processNumber: number,
  deps: RecoverDeps,
): Promise<Decided[]> {
  const decided = jobs.map((job) => decide(job, processNumber, deps));
  for (const one of decided) await carryOut(tx, one, deps);
  return decided;
}

function decide(job: HeldJob, processNumber: number, deps: RecoverDeps): Decided {
  const policy = deps.policy();
  const decision = decideHealing({
    fault: fault.crash("WORKER_DIED", "the worker process died while the job ran"),
    job,
    healing: policy.healing,
    kind: rulesOf(policy, job.kind),
    now: deps.clock.now(),
    random: deps.random(),
  });
  // Compensations run in a worker; whoever maps crash to rollback gets a person instead.
  const possible =
    decision.settle.move === "rollback"
      ? afterRollback(decision, "not undone: the worker that could undo it is dead")
      : decision;
  return { job, decision: possible, workerId: kindWorkerId(job.kind, processNumber) };
}

function tellAll(decided: readonly Decided[], deps: RecoverDeps): void {
  for (const one of decided) tell(one, true, deps.emit);
}

/** `general-worker-7` → 7. */
function numberOf(workerId: string): number {
  return Number(workerId.slice(workerId.lastIndexOf("-") + 1));
}
