/** What executors that were killed left behind: their programs, on this machine, and the roles of their runs. */
import { sweepRunRoles } from "../../store/run-role.js";
import { type ReapDeps, reapOrphans } from "../executor/reap.js";
import type { Tick } from "../ticker.js";

const EVERY_MS = 30_000;

/** Of every executor; the first round is at its start. Two at once do no harm. */
export function tidyExecutorTick(deps: ReapDeps): Tick {
  const told = new Set<string>();
  return {
    name: "tidy-executor",
    everyMs: EVERY_MS,
    run: async () => {
      await reapOrphans(deps);
      const { left } = await sweepRunRoles(deps.db);
      for (const role of left) {
        if (!told.has(role)) deps.log.warn("run.role-left", { error: role });
        told.add(role);
      }
    },
  };
}
