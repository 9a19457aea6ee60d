/**
 * The budget of requests that all processes share, a row for each credential, and the permits of those under way
 * . Each function is to be called in a transaction of its own: the row's lock makes takers stand in line, and only a
 * statement after it sees what the one before has taken.
 */
import {
  admitRequest,
  afterAnswer,
  type BudgetRules,
  type RequestBudget,
  type RequestVerdict,
  type SeenLimits,
} from "../base/request-budget.js";
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";

/** A request that was neither answered nor given up for so long belongs to a process that is gone. Above every deadline of a request. */
const PERMIT_SECONDS = 30;

export type Permit =
  | { readonly ok: true; readonly permit: number }
  /** `waitMs` by the server's clock; null while all that may be are under way. */
  | { readonly ok: false; readonly why: "busy" | "gate" | "limit"; readonly waitMs: number | null };

/** Takes one request of `scope`, which is made at its first use. Times are the server's. */
export async function takePermit(tx: Sql, scope: string, rules: BudgetRules): Promise<Permit> {
  const budget = (await lockBudget(tx, scope)) ?? (await makeBudget(tx, scope));
  const { rows } = await tx.query<{ inFlight: number; now: Date }>(
    `SELECT count(*)::int AS "inFlight", clock_timestamp() AS now
     FROM control.github_permit WHERE scope = $1 AND until > clock_timestamp()`,
    [scope],
  );
  const { inFlight, now } = rows[0]!;
  const verdict = admitRequest(budget, inFlight, rules, now);
  if (!verdict.ok) return { ok: false, why: verdict.why, waitMs: waitOf(verdict, now) };
  const taken = await tx.query<{ id: string }>(
    `INSERT INTO control.github_permit (scope, until)
     VALUES ($1, clock_timestamp() + make_interval(secs => $2)) RETURNING id`,
    [scope, PERMIT_SECONDS],
  );
  return { ok: true, permit: Number(taken.rows[0]!.id) };
}

function waitOf(verdict: RequestVerdict & { ok: false }, now: Date): number | null {
  return verdict.why === "busy" ? null : Math.max(0, verdict.until.getTime() - now.getTime());
}

/** The request is over. `seen` is null when there was no answer: what is left stays as it was known. */
export async function endPermit(
  tx: Sql,
  scope: string,
  permit: number,
  seen: SeenLimits | null,
): Promise<void> {
  const budget = await lockBudget(tx, scope);
  // After the lock was got: a wait begins now, not when we stood in line for it.
  const { rows } = await tx.query<{ now: Date }>(
    `WITH ended AS (DELETE FROM control.github_permit WHERE id = $1 OR (scope = $2 AND until <= clock_timestamp()))
     SELECT clock_timestamp() AS now`,
    [permit, scope],
  );
  if (seen === null || budget === null) return;
  await saveBudget(tx, scope, afterAnswer(budget, seen, rows[0]!.now), seen);
}

/** In [0, 1], the least of all scopes; null: nobody has heard, or not since the limit began anew. */
export function readRemainingShare(sql: Sql): Promise<number | null> {
  return ask<number | null>(sql, {
    name: "github.share",
    sql: `(SELECT min(greatest(remaining, 0)::float8 / limit_)
      FROM control.github_budget WHERE limit_ > 0 AND reset_at > now())`,
  });
}

async function lockBudget(tx: Sql, scope: string): Promise<RequestBudget | null> {
  const { rows } = await tx.query<RequestBudget>(
    `SELECT limit_ AS "limit", remaining, reset_at AS "resetAt", gate_until AS "gateUntil",
       updated_at AS "updatedAt"
     FROM control.github_budget WHERE scope = $1 FOR UPDATE`,
    [scope],
  );
  return rows[0] ?? null;
}

async function makeBudget(tx: Sql, scope: string): Promise<RequestBudget> {
  await tx.query(
    "INSERT INTO control.github_budget (scope) VALUES ($1) ON CONFLICT (scope) DO NOTHING",
    [scope],
  );
  const made = await lockBudget(tx, scope);
  if (made === null) throw new Error(`assertion failed: the budget ${scope} was made and is gone`);
  return made;
}

async function saveBudget(
  tx: Sql,
  scope: string,
  budget: RequestBudget,
  { refusal }: SeenLimits,
): Promise<void> {
  const { limit, remaining, resetAt, gateUntil, updatedAt } = budget;
  await tx.query(
    `UPDATE control.github_budget SET limit_ = $2, remaining = $3, reset_at = $4, gate_until = $5, updated_at = $6,
       reason = CASE WHEN $5::timestamptz IS NULL THEN NULL ELSE coalesce($7, reason) END
     WHERE scope = $1`,
    [
      ...[scope, limit, remaining, resetAt, gateUntil, updatedAt],
      refusal === null ? null : reasonOf(refusal),
    ],
  );
}

function reasonOf({ waitMs, isNamed }: NonNullable<SeenLimits["refusal"]>): string {
  const seconds = Math.ceil(waitMs / 1_000);
  return isNamed ? `asked to wait ${seconds} s` : `asked to slow down, for no time that it named`;
}
