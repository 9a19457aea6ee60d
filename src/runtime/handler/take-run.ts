/** Run and targets at once, or neither: and what becomes of a run whose targets are held. */
import { fault } from "../../base/fault.js";
import type { Runbook } from "../../runbook/define.js";
import { isFinal, type Run } from "../../runbook/run.js";
import type { Database, Sql } from "../../store/database.js";
import { startRun } from "../../store/run-leases.js";
import { readRun } from "../../store/runs.js";
import { describeHolder, type LockHolder, takeTargetLocks } from "../../store/target-locks.js";

/** Thrown to roll the transaction back. */
class TargetHeld extends Error {
  readonly holder: LockHolder;

  constructor(holder: LockHolder) {
    super(describeHolder(holder));
    this.holder = holder;
  }
}

/** A living executor's run is not taken from it: look again after this. */
const HELD_RETRY_MS = 1_000;

/**
 * `targets`: none while it only plans. The holder of a target is the answer when another run has one. Throws a
 * waiting fault `RUN_HELD` while another executor works on it, and `RUN_LOST` when it ended in this moment.
 */
export async function takeRun(
  db: Database,
  asked: Run,
  runbook: Runbook,
  targets: readonly string[],
): Promise<Run | LockHolder> {
  try {
    return await db.transaction(async (tx) => {
      const run = await startRun(tx, asked.id, {
        timeoutMs: runbook.timeoutMs,
        targets: runbook.locks(asked.params),
      });
      if (!run) throw await explainRefusal(tx, asked.id);
      const holder = await takeTargetLocks(tx, run.seq, targets);
      if (holder) throw new TargetHeld(holder);
      return run;
    });
  } catch (thrown) {
    if (thrown instanceof TargetHeld) return thrown.holder;
    throw thrown;
  }
}

async function explainRefusal(tx: Sql, id: string): Promise<Error> {
  const run = await readRun(tx, id);
  if (!run || isFinal(run.status)) return fault.waiting("RUN_LOST", `${id} ended in this moment`);
  return fault.waiting("RUN_HELD", `${id} is at work in another executor, or waits for people`, {
    retryAfterMs: HELD_RETRY_MS,
  });
}
