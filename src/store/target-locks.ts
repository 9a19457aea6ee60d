/** Locks by target, not by runbook: leases of runs on what they touch, visible with their holder. */
import { formatAge } from "../base/duration.js";
import { isPartOf, WHOLES } from "../runbook/target.js";
import type { Sql } from "./database.js";

/** An executor renews several times within this; a dead one's targets are free after it. */
const LOCK_LEASE_MS = 30_000;

export interface LockHolder {
  readonly target: string;
  /** `run-17`. */
  readonly runId: string;
  readonly runbook: string;
  readonly actor: string;
  readonly heldSince: Date;
  readonly heldForMs: number;
  /** Until it is free if its executor died in this moment. */
  readonly leaseLeftMs: number;
}

/** LIKE patterns of all that may not be held beside this target: itself, its parts, and what it is a part of. */
function conflictsOf(target: string): string[] {
  const wholes = Object.keys(WHOLES).filter((whole) => isPartOf(target, whole));
  return [target.replace(/[\\%_]/g, "\\$&"), ...(WHOLES[target] ?? []), ...wholes];
}

/**
 * All targets or none. Call it in a transaction, and roll back when a holder is returned. Takers come one by one:
 * two that want a whole and its part insert different rows, and neither would see the other's.
 */
export async function takeTargetLocks(
  tx: Sql,
  runSeq: number,
  targets: readonly string[],
): Promise<LockHolder | null> {
  if (targets.length === 0) return null;
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('target-locks'))");
  const holder = await findHolder(tx, runSeq, targets);
  if (holder) return holder;
  const wanted = [...new Set(targets)].sort();
  const { rows } = await tx.query<{ target: string }>(
    `INSERT INTO control.target_lock AS lock (target, run_seq, expires_at)
     SELECT wanted.target, $2, now() + $3 * interval '1 ms'
     FROM unnest($1::text[]) WITH ORDINALITY AS wanted (target, place) ORDER BY place
     ON CONFLICT (target) DO UPDATE
       SET run_seq = excluded.run_seq, fence = lock.fence + 1, expires_at = excluded.expires_at,
         taken_at = CASE WHEN lock.run_seq = excluded.run_seq THEN lock.taken_at ELSE now() END
       WHERE lock.run_seq = excluded.run_seq OR lock.expires_at < now()
          OR NOT EXISTS (SELECT 1 FROM control.run WHERE run.seq = lock.run_seq AND run.status IN ('queued', 'running'))
     RETURNING target`,
    [wanted, runSeq, LOCK_LEASE_MS],
  );
  // The previous version takes locks without waiting for its turn: its row may have come in between.
  const missed = wanted.find((target) => !rows.some((row) => row.target === target));
  return missed === undefined
    ? null
    : ((await findHolder(tx, runSeq, [missed])) ?? unknownHolder(missed));
}

const HOLDER = `lock.target, run.id AS "runId", run.runbook, run.actor, lock.taken_at AS "heldSince",
  (extract(epoch FROM clock_timestamp() - lock.taken_at) * 1000)::bigint AS "heldForMs",
  (extract(epoch FROM lock.expires_at - clock_timestamp()) * 1000)::bigint AS "leaseLeftMs"`;

/** Locks that count: their lease lives, and their run has not ended. */
const LIVING = `control.target_lock AS lock JOIN control.run AS run ON run.seq = lock.run_seq
  WHERE lock.expires_at >= now() AND run.status IN ('queued', 'running')`;

/** Another run that holds one of these, a part of one, or the whole of one. */
export async function findHolder(
  sql: Sql,
  runSeq: number,
  targets: readonly string[],
): Promise<LockHolder | null> {
  const { rows } = await sql.query<LockHolder>(
    `SELECT ${HOLDER} FROM ${LIVING} AND lock.run_seq <> $1 AND lock.target LIKE ANY ($2)
     ORDER BY lock.target LIMIT 1`,
    [runSeq, targets.flatMap(conflictsOf)],
  );
  return rows[0] ?? null;
}

function unknownHolder(target: string): LockHolder {
  const at = { heldSince: new Date(0), heldForMs: 0, leaseLeftMs: 0 };
  return { target, runId: "another run", runbook: "unknown", actor: "unknown", ...at };
}

const LIST_MAX = 1_000;

/** All that is held, by target. */
export async function listLocks(sql: Sql): Promise<LockHolder[]> {
  const { rows } = await sql.query<LockHolder>(
    `SELECT ${HOLDER} FROM ${LIVING} ORDER BY lock.target LIMIT ${LIST_MAX}`,
  );
  return rows;
}

/** `queue-index is held by run-17 of ann for 2m (drain-queue)`. */
export function describeHolder({ target, runId, runbook, actor, heldForMs }: LockHolder): string {
  return `${target} is held by ${runId} of ${actor} for ${formatAge(heldForMs)} (${runbook})`;
}
