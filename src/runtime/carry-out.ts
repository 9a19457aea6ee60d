/** Writes what healing decided: the move, the log row, the notice and safe mode, all or nothing. */
import { unreachable } from "../base/assert.js";
import type { HealingDecision, Settle } from "../job/heal.js";
import type { HeldJob } from "../job/job.js";
import type { Database, Sql } from "../store/database.js";
import { fillHealingOutcome, logHealing } from "../store/healing.js";
import { failJob, rescheduleJob } from "../store/job-settle.js";
import { enterSafeMode } from "../store/safe-mode.js";
import { type Emit, ofJob } from "./events.js";
import { type RuntimeNotify, wordOfDecision } from "./runtime-word.js";

export interface CarryOutDeps {
  readonly emit: Emit;
  readonly notify: RuntimeNotify;
}

/** What a decision is about; `workerId` reads `<kind>-worker-<process number>`. */
export interface Decided {
  readonly job: HeldJob;
  readonly decision: HealingDecision;
  readonly workerId: string;
}

/** A notice that failed must not make another notice. */
const KIND_NEVER_TOLD = "notice";

/** False when the job was no longer ours: then nothing at all is written. Events are the caller's, after the commit. */
export async function carryOut(tx: Sql, decided: Decided, deps: CarryOutDeps): Promise<boolean> {
  const { job, decision, workerId } = decided;
  if (!(await move(tx, job, decision.settle))) return false;
  // Only a try that ended says whether the healing before it had helped.
  if (decision.reason !== "waits-for-dependency") await fillHealingOutcome(tx, job.seq, false);
  if (decision.action !== null) {
    await logHealing(tx, { jobId: job.id, workerId, ...decision.action });
  }
  if (decision.notify !== null && job.kind !== KIND_NEVER_TOLD) {
    await deps.notify(tx, wordOfDecision(job, decision));
  }
  if (decision.entersSafeMode) {
    await enterSafeMode(tx, { reason: `${job.id}: ${decision.settle.error}`, by: "healdec" });
  }
  return true;
}

/** In a transaction of its own, and told when it is committed. */
export async function carryOutNow(
  db: Database,
  decided: Decided,
  deps: CarryOutDeps,
): Promise<void> {
  const moved = await db.transaction((tx) => carryOut(tx, decided, deps));
  tell(decided, moved, deps.emit);
}

function move(tx: Sql, job: HeldJob, settle: Settle): Promise<boolean> {
  switch (settle.move) {
    case "reschedule":
      return rescheduleJob(tx, job, settle);
    case "quarantine":
      return failJob(tx, job, { status: "quarantined", error: settle.error });
    case "fail":
    case "rollback":
      return failJob(tx, job, { status: "failed", error: settle.error });
    default:
      return unreachable(settle);
  }
}

/** The events of a decision that was committed, or of a job that was lost. */
export function tell(decided: Decided, moved: boolean, emit: Emit): void {
  const { job, decision, workerId } = decided;
  const about = ofJob(job, workerId);
  if (!moved) {
    emit({ event: "job.lost", ...about });
    return;
  }
  const { settle, reason, action } = decision;
  emit({ ...settledEvent(settle), ...about, reason, error: settle.error });
  if (action !== null) {
    const { failureType, strategy, success } = action;
    emit({
      event: "healdec.acted",
      ...about,
      failure_type: failureType,
      strategy,
      reason,
      success,
    });
  }
  if (decision.entersSafeMode) emit({ event: "safe-mode.entered", reason: settle.error });
}

function settledEvent(settle: Settle) {
  if (settle.move === "reschedule") {
    return { event: "job.rescheduled", at: settle.at.toISOString() } as const;
  }
  return { event: settle.move === "quarantine" ? "job.quarantined" : "job.failed" } as const;
}
