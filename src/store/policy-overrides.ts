/** Break-glass: single values that hold against the policy in force, for a while and with a name. Time is the database's. */
import type { Json } from "../base/json.js";
import { ask, type Question } from "./ask-together.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";

export interface PolicyOverride {
  readonly id: number;
  /** `retention.events_retention_days`. */
  readonly path: string;
  readonly value: Json;
  /** What the policy said when it began. */
  readonly was: Json;
  readonly reason: string;
  readonly owner: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly endedAt: Date | null;
  readonly endedBy: string | null;
  /** Of the pull request that writes it back; null: none was asked for. */
  readonly changeKey: string | null;
}

const COLUMNS = `id, path, value, was, reason, owner, created_at AS "createdAt", expires_at AS "expiresAt",
  ended_at AS "endedAt", ended_by AS "endedBy", change_key AS "changeKey"`;
const IS_ACTIVE = "ended_at IS NULL AND expires_at > now()";
const IS_OVER = "ended_at IS NULL AND expires_at <= now()";

interface PolicyMark {
  readonly revision: number;
  /** Numbers of those that hold, in order. */
  readonly overrides: string;
}

const MARK: Question<PolicyMark | null> = {
  name: "policy.mark",
  sql: `(SELECT json_build_object('revision', revision, 'overrides',
      (SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM control.policy_override WHERE ${IS_ACTIVE}))
    FROM control.policy_revision ORDER BY revision DESC LIMIT 1)`,
};

/** Cheap enough to ask on every tick: what is in force, and the numbers of the overrides that hold. */
export function readPolicyMark(sql: Sql): Promise<PolicyMark | null> {
  return ask(sql, MARK);
}

/** Those that hold now, in the order in which they began. */
export async function listActiveOverrides(sql: Sql): Promise<PolicyOverride[]> {
  const { rows } = await sql.query<PolicyOverride>(
    `SELECT ${COLUMNS} FROM control.policy_override WHERE ${IS_ACTIVE} ORDER BY id`,
  );
  return rows;
}

/** Those that ended too, newest first. */
export async function listOverrides(sql: Sql, limit: number): Promise<PolicyOverride[]> {
  const { rows } = await sql.query<PolicyOverride>(
    `SELECT ${COLUMNS} FROM control.policy_override ORDER BY id DESC LIMIT $1`,
    [limit],
  );
  return rows;
}

/** Null when another one holds at this path: it must be ended first, so that two people know of each other. */
export async function startOverride(
  tx: Sql,
  wanted: Pick<PolicyOverride, "path" | "value" | "was" | "reason" | "owner"> & {
    readonly forMs: number;
    readonly by: string;
  },
): Promise<PolicyOverride | null> {
  const { path, value, was, reason, owner, forMs, by } = wanted;
  await endExpiredOverrides(tx);
  const { rows } = await tx.query<PolicyOverride>(
    `INSERT INTO control.policy_override (path, value, was, reason, owner, expires_at)
     VALUES ($1, $2, $3, $4, $5, now() + $6 * interval '1 ms')
     ON CONFLICT (path) WHERE ended_at IS NULL DO NOTHING RETURNING ${COLUMNS}`,
    [path, JSON.stringify(value), JSON.stringify(was), reason, owner, forMs],
  );
  const [started] = rows;
  if (!started) return null;
  const details = { path, value, was, reason, owner, until: started.expiresAt.toISOString() };
  await audit(tx, by, "policy.overridden", started.id, details);
  return started;
}

/** Null when it had ended, or never was. */
export async function endOverride(tx: Sql, id: number, by: string): Promise<PolicyOverride | null> {
  const { rows } = await tx.query<PolicyOverride>(
    `UPDATE control.policy_override SET ended_at = now(), ended_by = $2
     WHERE id = $1 AND ended_at IS NULL RETURNING ${COLUMNS}`,
    [id, by],
  );
  const [ended] = rows;
  if (!ended) return null;
  await audit(tx, by, "policy.override-ended", id, { path: ended.path });
  return ended;
}

/** Whether the time of one has come since `endExpiredOverrides`. */
export function hasExpiredOverrides(sql: Sql): Promise<boolean> {
  const name = "policy.override-expired";
  return ask<boolean>(sql, {
    name,
    sql: `EXISTS (SELECT FROM control.policy_override WHERE ${IS_OVER})`,
  });
}

/** They hold no longer since their time came; this writes it down. */
export async function endExpiredOverrides(tx: Sql): Promise<PolicyOverride[]> {
  const { rows } = await tx.query<PolicyOverride>(
    `UPDATE control.policy_override SET ended_at = expires_at, ended_by = 'expiry'
     WHERE ${IS_OVER} RETURNING ${COLUMNS}`,
  );
  for (const { id, path } of rows) await audit(tx, "expiry", "policy.override-ended", id, { path });
  return rows;
}

export async function noteWriteBack(sql: Sql, id: number, changeKey: string): Promise<void> {
  await sql.query("UPDATE control.policy_override SET change_key = $2 WHERE id = $1", [
    id,
    changeKey,
  ]);
}

async function audit(
  tx: Sql,
  actor: string,
  action: string,
  id: number,
  details: { [key: string]: Json },
): Promise<void> {
  await appendAudit(tx, { actor, action, target: `policy-override:${id}`, details });
}
