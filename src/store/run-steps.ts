/** The steps of a run: the intent before, the result after, each fenced by the executor that holds the run. */
import { type Fault, fault } from "../base/fault.js";
import type { Plan } from "../runbook/define.js";
import type { Run, StepEnding, StepKey, StepRecord } from "../runbook/run.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";

export async function readSteps(sql: Sql, runSeq: number): Promise<StepRecord[]> {
  const { rows } = await sql.query<StepRecord>(
    `SELECT phase, ordinal, name, undoes, status, output, result, error FROM control.run_step WHERE run_seq = $1
     ORDER BY array_position(ARRAY['plan', 'act', 'verify', 'undo'], phase), ordinal`,
    [runSeq],
  );
  return rows;
}

/** The intent, before anything can happen. Throws a waiting fault when the run is no longer this executor's. */
export async function beginStep(sql: Sql, run: Run, step: StepKey): Promise<void> {
  const { rowCount } = await sql.query(
    `INSERT INTO control.run_step AS step (run_seq, phase, ordinal, name, undoes, fence, status)
     SELECT run.seq, $3, $4, $5, $6, run.fence, 'running' FROM control.run AS run
     WHERE run.seq = $1 AND run.fence = $2 AND run.status = 'running'
     ON CONFLICT (run_seq, phase, ordinal) DO UPDATE
       SET status = 'running', fence = excluded.fence, error = NULL, ended_at = NULL, ended_by = NULL
     WHERE step.status = 'running' OR step.phase IN ('plan', 'verify')`,
    [run.seq, run.fence, step.phase, step.ordinal, step.name, step.undoes ?? null],
  );
  if (rowCount === 0) throw runLost(run);
}

/** The result with its audit row. A cancelled run still learns what its last step came to. */
export async function finishStep(
  tx: Sql,
  run: Run,
  step: StepKey,
  ending: StepEnding,
): Promise<void> {
  const { rowCount } = await tx.query(
    `UPDATE control.run_step AS step SET status = $5, output = $6, result = $7, error = $8, ended_by = $9,
       ended_at = now()
     FROM control.run AS run
     WHERE run.seq = $1 AND run.fence = $2 AND run.status IN ('running', 'cancelled')
       AND step.run_seq = run.seq AND step.phase = $3 AND step.ordinal = $4 AND step.status = 'running'`,
    [
      run.seq,
      run.fence,
      step.phase,
      step.ordinal,
      ending.status,
      ending.output,
      ending.result ?? null,
      ending.error ?? null,
      ending.endedBy ?? null,
    ],
  );
  if (rowCount === 0) throw runLost(run);
  await appendAudit(tx, {
    actor: run.actor,
    action: `run.step-${ending.status}`,
    target: run.id,
    details: {
      runbook: run.runbook,
      phase: step.phase,
      step: step.name,
      ...(ending.error === undefined ? {} : { error: ending.error }),
      ...(ending.endedBy ? { ended_by: ending.endedBy } : {}),
    },
  });
}

export async function keepPlan(sql: Sql, run: Run, plan: Plan): Promise<void> {
  const { rowCount } = await sql.query(
    "UPDATE control.run SET plan = $3 WHERE seq = $1 AND fence = $2 AND status = 'running'",
    [run.seq, run.fence, plan],
  );
  if (rowCount === 0) throw runLost(run);
}

export function runLost(run: Run): Fault {
  return fault.waiting("RUN_LOST", `${run.id} was taken by another executor or has ended`);
}
