/** Finds worker processes that stopped beating and gives their jobs back to work, within seconds. */
import { listDeadWorkers } from "../../store/workers.js";
import type { CycleStep } from "../orchestrator.js";
import { type RecoverDeps, recoverOrphans, recoverWorker } from "../recover.js";

/** A running row without a known worker was written by hand; whoever did it may still be at it. */
const ORPHAN_GRACE_MS = 60_000;

export function recoverDeadWorkersStep(deps: RecoverDeps): CycleStep {
  return {
    name: "recover-dead-workers",
    run: async () => {
      const { workerDeadAfterMs } = deps.policy().healing;
      for (const { id } of await listDeadWorkers(deps.db, workerDeadAfterMs)) {
        await recoverWorker(id, deps);
      }
      await recoverOrphans(ORPHAN_GRACE_MS, deps);
    },
  };
}
