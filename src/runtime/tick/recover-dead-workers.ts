/** Finds worker processes that stopped beating and gives their jobs back to work, within seconds. */
import { dropLostCapacity } from "../../store/capacity.js";
import {
  type LivingWorker,
  listDeadWorkers,
  listLivingWorkers,
} from "../../store/worker-deaths.js";
import type { CycleStep } from "../orchestrator.js";
import { isGone } from "../process-key.js";
import { type RecoverDeps, recoverOrphans, recoverWorker } from "../recover.js";

/** A running row without a known worker was written by hand; whoever did it may still be at it. */
const ORPHAN_GRACE_MS = 60_000;
/** Supervisors and workers look for those, too. */
const GONE_EVERY_MS = 2_000;
/** What no death explains is swept up less often: nobody waits for it. */
const SWEEP_EVERY_MS = 10_000;

/** Those of this machine that are gone for certain: any process may do this at any time, and need not wait for a lease. */
export async function recoverGoneWorkers(deps: RecoverDeps): Promise<void> {
  await recoverGone(await listLivingWorkers(deps.db), deps);
}

async function recoverGone(living: readonly LivingWorker[], deps: RecoverDeps): Promise<void> {
  for (const { id, processKey } of living) {
    if (isGone(processKey)) await recoverWorker(id, deps);
  }
}

export function recoverDeadWorkersStep(deps: RecoverDeps): CycleStep {
  let lookedMs = Number.NEGATIVE_INFINITY;
  let sweptMs = Number.NEGATIVE_INFINITY;
  return {
    name: "recover-dead-workers",
    run: async () => {
      const { workerDeadAfterMs } = deps.policy().healing;
      // Of one statement.
      const looks = [
        listDeadWorkers(deps.db, workerDeadAfterMs),
        listLivingWorkers(deps.db),
      ] as const;
      const [dead, living] = await Promise.all(looks);
      for (const { id } of dead) await recoverWorker(id, deps);
      if (performance.now() - lookedMs >= GONE_EVERY_MS) {
        await recoverGone(living, deps);
        lookedMs = performance.now();
      }
      if (performance.now() - sweptMs < SWEEP_EVERY_MS) return;
      await Promise.all([recoverOrphans(ORPHAN_GRACE_MS, deps), dropLostCapacity(deps.db)]);
      sweptMs = performance.now();
    },
  };
}
