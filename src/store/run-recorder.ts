/** What an executor writes down of its run, each entry with its audit row in one transaction. */
import type { Recorder } from "../runbook/execution.js";
import type { Run } from "../runbook/run.js";
import type { Database } from "./database.js";
import { beginStep, finishStep, keepPlan, readSteps } from "./run-steps.js";

export function createRecorder(db: Database, run: Run, progress: (line: string) => void): Recorder {
  return {
    steps: () => readSteps(db, run.seq),
    begin: (step) => beginStep(db, run, step),
    finish: (step, ending) => db.transaction((tx) => finishStep(tx, run, step, ending)),
    keepPlan: (plan) => keepPlan(db, run, plan),
    progress,
  };
}
