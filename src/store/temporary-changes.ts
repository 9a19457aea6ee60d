/** Changes past Git that are meant to be gone by a time: what a plan then shows is known, with its owner. */
import type { Json } from "../base/json.js";
import type { TemporaryChangeView } from "../runbook/temporary-change.js";
import { ask } from "./ask-together.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";

/** With how it ended; both null while it is in force. */
export interface TemporaryChange extends TemporaryChangeView {
  readonly endedAt: Date | null;
  readonly endReason: string | null;
}

export type NewTemporaryChange = Pick<
  TemporaryChangeView,
  "environment" | "target" | "attribute" | "before" | "after" | "reason" | "owner" | "runId"
> & {
  /** Milliseconds, a day at most. */
  readonly forMs: number;
};

const COLUMNS = `id, environment, target, attribute, before, after, reason, owner, run_id AS "runId",
  made_at AS "madeAt", expires_at AS "expiresAt", ended_at AS "endedAt", end_reason AS "endReason"`;

/** Those in force, oldest first: also one whose time came a moment ago, since what it changed is still so. */
export async function listTemporaryChanges(sql: Sql): Promise<TemporaryChange[]> {
  const { rows } = await sql.query<TemporaryChange>(
    `SELECT ${COLUMNS} FROM control.temporary_change WHERE ended_at IS NULL ORDER BY id`,
  );
  return rows;
}

/** Those that ended too, newest first. */
export async function listAllTemporaryChanges(sql: Sql, limit: number): Promise<TemporaryChange[]> {
  const { rows } = await sql.query<TemporaryChange>(
    `SELECT ${COLUMNS} FROM control.temporary_change ORDER BY id DESC LIMIT $1`,
    [limit],
  );
  return rows;
}

/**
 * Answers with its number. One in force of the same target and attribute ends by it, and its `before` stays: that is
 * what Git says. The same run asking again finds what it noted.
 */
export async function noteTemporaryChange(tx: Sql, wanted: NewTemporaryChange): Promise<number> {
  const { environment, target, attribute, runId } = wanted;
  const [held] = await inForce(tx, wanted);
  if (held && runId !== null && held.runId === runId) return held.id;
  if (held) {
    const reason = `another one follows: ${wanted.reason}`;
    await endTemporaryChange(tx, { id: held.id, reason, by: wanted.owner });
  }
  const { rows } = await tx.query<{ id: number }>(
    `INSERT INTO control.temporary_change
         (environment, target, attribute, before, after, reason, owner, run_id, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 ms') RETURNING id`,
    [
      ...[environment, target, attribute, JSON.stringify(held?.before ?? wanted.before)],
      ...[JSON.stringify(wanted.after), wanted.reason, wanted.owner, runId, wanted.forMs],
    ],
  );
  const id = rows[0]!.id;
  const { after, reason, forMs } = wanted;
  const details = { target, attribute, after, reason, for_ms: forMs, run_id: runId };
  await audit(tx, wanted.owner, "temporary-change.noted", id, details);
  return id;
}

/** False when none of this number is in force. */
export async function endTemporaryChange(
  tx: Sql,
  { id, reason, by }: { readonly id: number; readonly reason: string; readonly by: string },
): Promise<boolean> {
  const { rows } = await tx.query<{ target: string; attribute: string }>(
    `UPDATE control.temporary_change SET ended_at = now(), end_reason = $2
     WHERE id = $1 AND ended_at IS NULL RETURNING target, attribute`,
    [id, reason],
  );
  const [ended] = rows;
  if (!ended) return false;
  await audit(tx, by, "temporary-change.ended", id, { ...ended, reason });
  return true;
}

const IS_OVER = "ended_at IS NULL AND expires_at <= now()";

/** Whether the time of one has come since `endExpiredTemporaryChanges`. */
export function hasExpiredTemporaryChanges(sql: Sql): Promise<boolean> {
  const name = "temporary-change.expired";
  return ask<boolean>(sql, {
    name,
    sql: `EXISTS (SELECT FROM control.temporary_change WHERE ${IS_OVER})`,
  });
}

/** Writes down that their time has come; what they changed is gone only when somebody changes it back. */
export async function endExpiredTemporaryChanges(tx: Sql): Promise<TemporaryChange[]> {
  const { rows } = await tx.query<TemporaryChange>(
    `UPDATE control.temporary_change SET ended_at = expires_at, end_reason = 'expired'
     WHERE ${IS_OVER} RETURNING ${COLUMNS}`,
  );
  for (const { id, target, attribute } of rows)
    await audit(tx, "expiry", "temporary-change.ended", id, { target, attribute });
  return rows;
}

async function inForce(
  tx: Sql,
  { environment, target, attribute }: NewTemporaryChange,
): Promise<TemporaryChange[]> {
  const { rows } = await tx.query<TemporaryChange>(
    `SELECT ${COLUMNS} FROM control.temporary_change
     WHERE environment = $1 AND target = $2 AND attribute = $3 AND ended_at IS NULL`,
    [environment, target, attribute],
  );
  return rows;
}

async function audit(
  tx: Sql,
  actor: string,
  action: string,
  id: number,
  details: { [key: string]: Json },
): Promise<void> {
  await appendAudit(tx, { actor, action, target: `temporary-change:${id}`, details });
}
