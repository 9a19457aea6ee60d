/** The orchestrator's heartbeat: the last step of a cycle in which all before it succeeded. */
import type { Database } from "../../store/database.js";
import { HEARTBEAT_METRIC } from "../../store/runtime-samples.js";
import { insertSamples } from "../../store/samples.js";
import type { CycleStep } from "../orchestrator.js";

/** Its value is the time itself, in epoch seconds. Who leads is in `control.lease`. */
export function beatStep(db: Database): CycleStep {
  return {
    name: "beat",
    run: async (now) => {
      const value = now.getTime() / 1_000;
      await insertSamples(db, [{ metric: HEARTBEAT_METRIC, labels: {}, at: now, value }]);
    },
  };
}
