/** Finds worker processes that stopped beating and gives their jobs back to work, within seconds. */
import { listDeadWorkers, listLivingWorkers } from "../../store/worker-deaths.js";
import type { CycleStep } from "../orchestrator.js";
import { isGone } from "../process-key.js";
import { type RecoverDeps, recoverOrphans, recoverWorker } from "../recover.js";

/** A running row without a known worker was written by hand; whoever did it may still be at it. */
const ORPHAN_GRACE_MS = 60_000;

/** Every process may do this at any time: those of our own machine need not be waited for. */
export async function recoverDeadWorkers(deps: RecoverDeps): Promise<void> {
  const { workerDeadAfterMs } = deps.policy().healing;
  const silent = await listDeadWorkers(deps.db, workerDeadAfterMs);
  const gone = (await listLivingWorkers(deps.db)).filter(({ processKey }) => isGone(processKey));
  for (const id of new Set([...silent, ...gone].map((worker) => worker.id))) {
    await recoverWorker(id, deps);
  }
}

export function recoverDeadWorkersStep(deps: RecoverDeps): CycleStep {
  return {
    name: "recover-dead-workers",
    run: async () => {
      await recoverDeadWorkers(deps);
      await recoverOrphans(ORPHAN_GRACE_MS, deps);
    },
  };
}
