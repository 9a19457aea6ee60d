/** What an executor writes down of its run: each result with its audit row in one transaction, lines as they come. */
import type { Recorder } from "../runbook/execution.js";
import type { ProcessGroupRef, ShellResult } from "../runbook/port.js";
import type { Run, StepKey } from "../runbook/run.js";
import type { Database, Sql } from "./database.js";
import { beginStep, finishStep, keepPlan, readSteps, runLost } from "./run-steps.js";

export interface RecorderDeps {
  readonly db: Database;
  /** Of the process that runs it; null where the system tells none. */
  readonly executorKey: string | null;
  readonly onLine: Recorder["line"];
}

export function createRecorder({ db, executorKey, onLine }: RecorderDeps, run: Run): Recorder {
  return {
    steps: () => readSteps(db, run.seq),
    begin: (step) => beginStep(db, run, step),
    finish: (step, ending) => db.transaction((tx) => finishStep(tx, run, step, ending)),
    keepPlan: (plan) => keepPlan(db, run, plan),
    line: onLine,
    processStarted: (step, program, group) =>
      keepProcess(db, run, { step, program, group, executorKey }),
    processEnded: (group, endedBy) => endProcess(db, run, group, endedBy),
  };
}

interface BegunProcess {
  readonly step: StepKey;
  readonly program: string;
  readonly group: ProcessGroupRef;
  readonly executorKey: string | null;
}

/** Before the program begins, so that none runs that nobody could find. Throws when the run is another's by now. */
async function keepProcess(sql: Sql, run: Run, begun: BegunProcess): Promise<void> {
  const { step, program, group, executorKey } = begun;
  // Where the system names no process for certain, none is reaped, and a row would promise it.
  if (group.processKey === null) return;
  const { rowCount } = await sql.query(
    `INSERT INTO control.run_process (run_seq, fence, pgid, process_key, executor_key, program, phase, ordinal)
     SELECT run.seq, run.fence, $3, $4, $5, $6, $7, $8 FROM control.run AS run
     WHERE run.seq = $1 AND run.fence = $2 AND run.status = 'running'`,
    [
      run.seq,
      run.fence,
      group.pgid,
      group.processKey,
      executorKey,
      program,
      step.phase,
      step.ordinal,
    ],
  );
  if (rowCount === 0) throw runLost(run);
}

/** Not fenced: that it has ended is true whoever holds the run. */
async function endProcess(
  sql: Sql,
  run: Run,
  group: ProcessGroupRef,
  endedBy: ShellResult["endedBy"],
): Promise<void> {
  await sql.query(
    `UPDATE control.run_process SET ended_at = now(), ended_by = $4
     WHERE run_seq = $1 AND fence = $2 AND process_key = $3 AND ended_at IS NULL`,
    [run.seq, run.fence, group.processKey, endedBy],
  );
}
