/** Locks by target, not by runbook: leases of runs on what they touch, visible with their holder. */
import type { Sql } from "./database.js";

/** An executor renews several times within this; a dead one's targets are free after it. */
export const LOCK_LEASE_MS = 30_000;

export interface LockHolder {
  readonly target: string;
  /** `run-17`. */
  readonly runId: string;
  readonly actor: string;
  readonly heldForMs: number;
}

/**
 * All targets or none. Call it in a transaction, and roll back when a holder is returned. The targets must
 * be sorted, so that two runs never wait for each other.
 */
export async function takeTargetLocks(
  tx: Sql,
  runSeq: number,
  targets: readonly string[],
): Promise<LockHolder | null> {
  for (const target of targets) {
    const { rowCount } = await tx.query(
      `INSERT INTO control.target_lock AS lock (target, run_seq, expires_at)
       VALUES ($1, $2, now() + $3 * interval '1 ms')
       ON CONFLICT (target) DO UPDATE
         SET run_seq = excluded.run_seq, fence = lock.fence + 1, taken_at = now(), expires_at = excluded.expires_at
         WHERE lock.run_seq = excluded.run_seq OR lock.expires_at < now()
            OR NOT EXISTS (SELECT 1 FROM control.run WHERE run.seq = lock.run_seq AND run.status IN ('queued', 'running'))`,
      [target, runSeq, LOCK_LEASE_MS],
    );
    if (rowCount === 0) return readHolder(tx, target);
  }
  return null;
}

async function readHolder(sql: Sql, target: string): Promise<LockHolder> {
  const { rows } = await sql.query<LockHolder>(
    `SELECT lock.target, run.id AS "runId", run.actor,
            (extract(epoch FROM now() - lock.taken_at) * 1000)::bigint AS "heldForMs"
     FROM control.target_lock AS lock JOIN control.run AS run ON run.seq = lock.run_seq WHERE lock.target = $1`,
    [target],
  );
  return rows[0] ?? { target, runId: "another run", actor: "unknown", heldForMs: 0 };
}

export type RunBeat = "alive" | "cancelled" | "lost";

/** One statement: the leases live on, and the executor learns whether the run is still its own. */
export async function beatRun(
  sql: Sql,
  run: { readonly seq: number; readonly fence: number },
  targetCount: number,
): Promise<RunBeat> {
  const { rows } = await sql.query<{ status: string; renewed: number }>(
    `WITH mine AS (SELECT seq, status FROM control.run WHERE seq = $1 AND fence = $2),
     renewed AS (
       UPDATE control.target_lock AS lock SET expires_at = now() + $3 * interval '1 ms'
       FROM mine WHERE lock.run_seq = mine.seq AND mine.status = 'running' RETURNING 1
     )
     SELECT mine.status, (SELECT count(*) FROM renewed)::int AS renewed FROM mine`,
    [run.seq, run.fence, LOCK_LEASE_MS],
  );
  const found = rows[0];
  if (!found) return "lost";
  if (found.status === "cancelled") return "cancelled";
  return found.status === "running" && found.renewed === targetCount ? "alive" : "lost";
}
