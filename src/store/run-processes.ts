/** Process groups that runs began and nobody has seen end. What a run begins and ends itself is in run-recorder.ts. */
import type { Sql } from "./database.js";

export interface OpenProcess {
  readonly runSeq: number;
  /** `run-17`. */
  readonly runId: string;
  readonly fence: number;
  readonly pgid: number;
  /** Of the group's leader, as runtime/process-key names it. */
  readonly processKey: string;
  /** Of the process that began it; null where its system told none. */
  readonly executorKey: string | null;
  readonly program: string;
  /** Its run has ended, or another executor has it: whatever still runs of this one is nobody's. */
  readonly isDisowned: boolean;
  /** Since its run had a lease that somebody kept; null while one is kept. */
  readonly unheldMs: number | null;
}

/** Oldest first; of all runs, or of one. */
export async function listOpenProcesses(sql: Sql, runSeq: number | null): Promise<OpenProcess[]> {
  const { rows } = await sql.query<OpenProcess>(
    `SELECT p.run_seq AS "runSeq", r.id AS "runId", p.fence, p.pgid, p.process_key AS "processKey",
       p.executor_key AS "executorKey", p.program,
       r.fence <> p.fence OR r.status <> 'running' AS "isDisowned",
       (extract(epoch FROM now() - CASE WHEN r.status <> 'running' THEN coalesce(r.ended_at, p.started_at)
          WHEN r.fence <> p.fence THEN p.started_at
          WHEN r.lease_until < now() THEN r.lease_until END) * 1000)::float8 AS "unheldMs"
     FROM control.run_process p JOIN control.run r ON r.seq = p.run_seq
     WHERE p.ended_at IS NULL AND ($1::bigint IS NULL OR p.run_seq = $1) ORDER BY p.started_at`,
    [runSeq],
  );
  return rows;
}

/** `reaped`: something of it was found and ended; `lost`: nothing of it was there any more, or nobody can look. */
export async function closeProcess(
  sql: Sql,
  process: Pick<OpenProcess, "runSeq" | "fence" | "processKey">,
  endedBy: "reaped" | "lost",
): Promise<void> {
  await sql.query(
    `UPDATE control.run_process SET ended_at = now(), ended_by = $4
     WHERE run_seq = $1 AND fence = $2 AND process_key = $3 AND ended_at IS NULL`,
    [process.runSeq, process.fence, process.processKey, endedBy],
  );
}
