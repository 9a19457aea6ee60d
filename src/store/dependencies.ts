/** What all processes share about each system that we call: its breaker, its gate, how it has been lately. */
import type { Breaker } from "../base/breaker.js";
import type { CallStats } from "../base/call-window.js";
import type { Sql } from "./database.js";

export interface Dependency {
  /** `slack`, `pagerduty`, `webhook/hook`. */
  readonly name: string;
  readonly breaker: Breaker;
  /** Grows with every change of the breaker; 0 until the first. */
  readonly version: number;
  /** Since when it is in this state. */
  readonly changedAt: Date;
  /** `healdec` for the runtime itself, or the person. */
  readonly changedBy: string;
  /** Of the process that measured last: its calls within the window. */
  readonly stats: CallStats;
  readonly measuredAt: Date | null;
}

interface Row extends Omit<Dependency, "breaker" | "stats">, Breaker, CallStats {}

/** Every dependency that was ever called, by name. A healthy one that has never changed may have no row. */
export async function listDependencies(sql: Sql): Promise<Dependency[]> {
  const { rows } = await sql.query<Row>(
    `SELECT name, state, next_at AS "nextAt", tokens, successes, gate_until AS "gateUntil", reason, version,
       changed_at AS "changedAt", changed_by AS "changedBy", calls, success_rate AS "successRate", p95_ms AS "p95Ms",
       measured_at AS "measuredAt"
     FROM control.dependency ORDER BY name`,
  );
  return rows.map(toDependency);
}

function toDependency(row: Row): Dependency {
  const { name, version, changedAt, changedBy, measuredAt } = row;
  const { state, nextAt, tokens, successes, gateUntil, reason } = row;
  const { calls, successRate, p95Ms } = row;
  return {
    ...{ name, version, changedAt, changedBy, measuredAt },
    breaker: { state, nextAt, tokens, successes, gateUntil, reason },
    stats: { calls, successRate, p95Ms },
  };
}

export interface BreakerChange {
  readonly name: string;
  /** The version that was read. */
  readonly version: number;
  readonly breaker: Breaker;
  readonly by: string;
  readonly at: Date;
}

/** The new version; null when somebody else was faster, and nothing was changed. */
export async function saveBreaker(sql: Sql, change: BreakerChange): Promise<number | null> {
  const { state, nextAt, tokens, successes, gateUntil, reason } = change.breaker;
  const { rows } = await sql.query<{ version: number }>(
    `INSERT INTO control.dependency AS d
       (name, state, next_at, tokens, successes, gate_until, reason, changed_by, changed_at, version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)
     ON CONFLICT (name) DO UPDATE SET state = excluded.state, next_at = excluded.next_at, tokens = excluded.tokens,
       successes = excluded.successes, gate_until = excluded.gate_until, reason = excluded.reason,
       version = d.version + 1,
       changed_by = CASE WHEN d.state = excluded.state THEN d.changed_by ELSE excluded.changed_by END,
       changed_at = CASE WHEN d.state = excluded.state THEN d.changed_at ELSE excluded.changed_at END
     WHERE d.version = $10
     RETURNING version`,
    [
      ...[change.name, state, nextAt, tokens, successes, gateUntil, reason],
      ...[change.by, change.at, change.version],
    ],
  );
  return rows[0]?.version ?? null;
}

/** Figures for people: they change no version, and whoever measured last is right. */
export async function recordCalls(
  sql: Sql,
  measured: {
    readonly name: string;
    readonly stats: CallStats;
    readonly by: string;
    readonly at: Date;
  },
): Promise<void> {
  const { calls, successRate, p95Ms } = measured.stats;
  await sql.query(
    `INSERT INTO control.dependency (name, version, changed_by, changed_at, calls, success_rate, p95_ms, measured_at)
     VALUES ($1, 0, $2, $3, $4, $5, $6, $3)
     ON CONFLICT (name) DO UPDATE SET calls = excluded.calls, success_rate = excluded.success_rate,
       p95_ms = excluded.p95_ms, measured_at = excluded.measured_at`,
    [measured.name, measured.by, measured.at, calls, successRate, p95Ms],
  );
}
