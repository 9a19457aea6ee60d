/**
 * The jobs of dead workers, back to work: healing decides as for any failure (HB-heal-02). Called for workers
 * that stopped beating, by the supervisor the moment one exits, and by whoever shares its machine. Jobs that
 * had not started go back as if they had never been claimed; of the others those are charged that may have done it.
 */
import { rm } from "node:fs/promises";
import type { Clock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { blame, startedAtDeath } from "../job/blame.js";
import { decideHealing, type WorkerDeath } from "../job/heal.js";
import type { HeldJob } from "../job/job.js";
import type { PolicySet } from "../policy/policy.js";
import { dropCapacity } from "../store/capacity.js";
import type { Database, Sql } from "../store/database.js";
import { deadAttempt, writeAttempts } from "../store/job-attempts.js";
import { type JobRollback, readRollbacks } from "../store/job-rollbacks.js";
import { released, settleJobs } from "../store/job-settle.js";
import {
  chargeJobs,
  type Death as DeathFacts,
  hasOrphanedJobs,
  readDeath,
  takeJobsOfDeadWorker,
  takeOrphanedJobs,
} from "../store/worker-deaths.js";
import { markWorker } from "../store/workers.js";
import { type CarryOutDeps, carryOut, type Decided, tell } from "./carry-out.js";
import { kindWorkerId } from "./events.js";
import { rulesOf } from "./kind-rules.js";
import { afterRollback } from "./rollback.js";
import { readStartedJobs, startedJobsPath } from "./started-jobs.js";

export interface RecoverDeps extends CarryOutDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly policy: () => PolicySet;
  /** In [0, 1). */
  readonly random: () => number;
  /** Where the workers of this machine note which handlers have started; null or absent: nowhere. */
  readonly evidenceDir?: string | null;
}

/** Deaths in this time are one storm. */
const STORM_MS = 5 * 60_000;
/** Of what a rollback is for, beside its evidence. */
const CAUSE_CHARS_MAX = 500;

/**
 * Returns how many jobs were taken from it. Harmless when repeated, and for a worker that had none. `forced`: it was
 * killed because it did not end in time when it was told to, so all go back as if they had never been claimed.
 */
export async function recoverWorker(
  workerId: string,
  deps: RecoverDeps,
  { forced = false } = {},
): Promise<number> {
  const file = deps.evidenceDir ? startedJobsPath(deps.evidenceDir, workerId) : null;
  const read = file === null ? null : await readStartedJobs(file);
  const noted = forced ? [] : read;
  const { taken, decided } = await deps.db.transaction(async (tx) => {
    await markWorker(tx, workerId, "dead");
    const held = await takeJobsOfDeadWorker(tx, workerId);
    const death = await readDeath(tx, workerId, STORM_MS);
    await dropCapacity(tx, workerId);
    const started = await sortOut(tx, held, noted === null ? death : { beaten: noted }, deps);
    const { otherDeaths } = death;
    const healed = await healAll(tx, started, { number: numberOf(workerId), otherDeaths }, deps);
    return { taken: held.length, decided: healed };
  });
  if (file !== null) await rm(file, { force: true });
  tellAll(decided, deps);
  if (taken > 0) deps.emit({ event: "worker.recovered", worker_id: workerId, jobs: taken });
  return taken;
}

/** Running rows that no known worker holds: inserted by hand, or their worker's row was deleted. */
export async function recoverOrphans(olderThanMs: number, deps: RecoverDeps): Promise<number> {
  if (!(await hasOrphanedJobs(deps.db, olderThanMs))) return 0;
  const decided = await deps.db.transaction(async (tx) => {
    const held = await takeOrphanedJobs(tx, olderThanMs);
    return healAll(tx, held, { number: 0, otherDeaths: 0 }, deps);
  });
  tellAll(decided, deps);
  return decided.length;
}

/** The file of a process is whole; of the jobs that it took after its last beat, the beat says nothing. */
type Evidence = Pick<DeathFacts, "beaten"> & Partial<Pick<DeathFacts, "since">>;

/** Returns those that had started, as far as anybody knows; the others go back, and it costs them nothing. */
async function sortOut(
  tx: Sql,
  held: readonly HeldJob[],
  { beaten, since = [] }: Evidence,
  { policy }: RecoverDeps,
): Promise<readonly HeldJob[]> {
  if (beaten === null) return held;
  const known = { beaten: new Set(beaten), since };
  const slotsOf = (kind: string) => rulesOf(policy(), kind).concurrency;
  const hasStarted = startedAtDeath(held, known, slotsOf);
  const waiting = held.filter(({ seq }) => !hasStarted.has(seq));
  await settleJobs(tx, waiting.map(released));
  return held.filter(({ seq }) => hasStarted.has(seq));
}

interface Death {
  readonly number: number;
  readonly otherDeaths: number;
}

/** One transaction: either all jobs of the worker are healed, or the next tick finds them all again. */
async function healAll(
  tx: Sql,
  jobs: readonly HeldJob[],
  death: Death,
  deps: RecoverDeps,
): Promise<Decided[]> {
  const charged = blame(jobs);
  await chargeJobs(tx, [...charged]);
  const seqs = jobs.map(({ seq }) => seq);
  const rollbacks = await readRollbacks(tx, seqs);
  const decided = jobs.map((job) => {
    const isCharged = charged.has(job.seq);
    const after = isCharged ? { ...job, crashCount: job.crashCount + 1 } : job;
    // Deaths that it was charged with are not those of others.
    const otherDeaths = Math.max(0, death.otherDeaths - job.crashCount);
    const doing = doingOf(jobs.length, rollbacks.get(job.seq));
    return decide(after, doing, death.number, { isCharged, otherDeaths }, deps);
  });
  const at = deps.clock.now();
  await writeAttempts(
    tx,
    decided.map(({ job, workerId }) => deadAttempt(job, { workerId, fence: job.fence - 1, at })),
  );
  for (const one of decided) await carryOut(tx, one, deps);
  return decided;
}

interface Doing {
  readonly what: string;
  readonly rollsBack: boolean;
}

/** Told with the death: what a person should look at when it is set aside. */
function doingOf(ranTogether: number, rollback: JobRollback | undefined): Doing {
  const beside = ranTogether === 1 ? "alone" : `beside ${ranTogether - 1} others`;
  if (rollback === undefined) return { what: `the job ran ${beside}`, rollsBack: false };
  const { code, message, left } = rollback;
  const open = left.length === 0 ? "nothing is left to undo" : `left to undo: ${left.join(", ")}`;
  const cause = message.slice(0, CAUSE_CHARS_MAX);
  const what = `the job was rolled back ${beside} (${open}) after ${code}: ${cause}`;
  return { what, rollsBack: true };
}

function decide(
  job: HeldJob,
  { what, rollsBack }: Doing,
  processNumber: number,
  death: WorkerDeath,
  deps: RecoverDeps,
): Decided {
  const policy = deps.policy();
  const decision = decideHealing({
    fault: fault.crash(
      "WORKER_DIED",
      `the worker process died while ${what}; charged with ${job.crashCount} deaths`,
    ),
    job,
    healing: policy.healing,
    kind: rulesOf(policy, job.kind),
    now: deps.clock.now(),
    random: deps.random(),
    ...{ death, rollsBack },
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
