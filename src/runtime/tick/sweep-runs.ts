/**
 * Finds runs whose executor died, so that none says "running" for more than a minute after its lease: another
 * executor goes on with them, or people learn that a person must look. Every orchestrator does it, leading or not.
 */
import type { Database } from "../../store/database.js";
import { hasLeftRuns, sweepRuns } from "../../store/run-leases.js";
import { tellRun } from "../../store/run-telling.js";
import { readRun } from "../../store/runs.js";
import type { RuntimeNotify, RuntimeWord } from "../runtime-word.js";
import type { Tick } from "../ticker.js";

/** A lease of 30 s and 20 s of grace leave half of the last 10 s. */
const EVERY_MS = 5_000;

export function sweepRunsTick(deps: {
  readonly db: Database;
  readonly notify: RuntimeNotify;
}): Tick {
  return {
    name: "sweep-runs",
    everyMs: EVERY_MS,
    run: async () => {
      if (!(await hasLeftRuns(deps.db))) return;
      await deps.db.transaction(async (tx) => {
        for (const { id, outcome } of await sweepRuns(tx)) {
          if (outcome !== "stalled") continue;
          await deps.notify(tx, wordOfStalled(id));
          const run = await readRun(tx, id);
          if (run) await tellRun(tx, run);
        }
      });
    },
  };
}

function wordOfStalled(runId: string): RuntimeWord {
  return {
    audience: "operator",
    severity: "sev3",
    key: `${runId}/stalled`,
    place: runId,
    message: {
      tone: "bad",
      title: `${runId} is stalled: its executor died, and no job brings it to another`,
      text: "What its last step did is not known: look before you repeat it.",
    },
    details: { run_id: runId },
  };
}
