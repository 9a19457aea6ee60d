/** Finds worker processes that stopped beating and gives their jobs back to work, within seconds. */
import { dropLostCapacity } from "../../store/capacity.js";
import { listDeadWorkers, listLivingWorkers } from "../../store/worker-deaths.js";
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
  for (const { id, processKey } of await listLivingWorkers(deps.db)) {
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
      for (const { id } of await listDeadWorkers(deps.db, workerDeadAfterMs)) {
        await recoverWorker(id, deps);
      }
      if (performance.now() - lookedMs >= GONE_EVERY_MS) {
        await recoverGoneWorkers(deps);
        lookedMs = performance.now();
      }
      if (performance.now() - sweptMs < SWEEP_EVERY_MS) return;
      await recoverOrphans(ORPHAN_GRACE_MS, deps);
      await dropLostCapacity(deps.db);
      sweptMs = performance.now();
    },
  };
}
