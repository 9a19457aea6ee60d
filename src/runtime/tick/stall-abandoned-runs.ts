/** Finds runs whose job ended without them, so that none says "running" for ever and people learn of it. */
import { MINUTE_MS } from "../../base/duration.js";
import type { Database } from "../../store/database.js";
import { stallAbandonedRuns } from "../../store/run-endings.js";
import { tellRun } from "../../store/run-telling.js";
import { readRun } from "../../store/runs.js";
import type { RuntimeNotify, RuntimeWord } from "../runtime-word.js";
import type { Tick } from "../ticker.js";

const EVERY_MS = MINUTE_MS;

export function stallAbandonedRunsTick(deps: {
  readonly db: Database;
  readonly notify: RuntimeNotify;
}): Tick {
  return {
    name: "stall-abandoned-runs",
    everyMs: EVERY_MS,
    run: () =>
      deps.db.transaction(async (tx) => {
        for (const id of await stallAbandonedRuns(tx)) {
          await deps.notify(tx, wordOfStalled(id));
          const run = await readRun(tx, id);
          if (run) await tellRun(tx, run);
        }
      }),
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
      title: `${runId} is stalled: its job ended before it did`,
      text: "What its last step did is not known: look before you repeat it.",
    },
    details: { run_id: runId },
  };
}
