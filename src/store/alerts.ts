/** What the evaluator remembers of each instance, and the history of what it found. */
import type { InstanceState, RuleState, Transition } from "../alert/state.js";
import type { Severity } from "../policy/policy.js";
import type { Sql } from "./database.js";

/** Every instance that is remembered, by rule. */
export async function loadAlertStates(sql: Sql): Promise<Map<string, RuleState>> {
  const { rows } = await sql.query<{ rule: string; instances: Record<string, InstanceState> }>(
    `SELECT rule, jsonb_object_agg(instance, state) AS instances
     FROM control.alert_state GROUP BY rule ORDER BY rule`,
  );
  return new Map(rows.map(({ rule, instances }) => [rule, instances]));
}

/** Makes the rows of these rules equal to their states: instances that are missing are forgotten. */
export async function saveAlertStates(
  sql: Sql,
  states: ReadonlyMap<string, RuleState>,
  at: Date,
): Promise<void> {
  const given = [...states].flatMap(([rule, instances]) =>
    Object.entries(instances).map(([instance, state]) => ({ rule, instance, state })),
  );
  await sql.query(
    `WITH given AS (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS given (rule text, instance text, state jsonb)
     ), forgotten AS (
       DELETE FROM control.alert_state s WHERE s.rule = ANY ($2)
         AND NOT EXISTS (SELECT FROM given g WHERE g.rule = s.rule AND g.instance = s.instance)
     )
     INSERT INTO control.alert_state (rule, instance, state, updated_at)
     SELECT rule, instance, state, $3 FROM given
     ON CONFLICT (rule, instance) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at`,
    [JSON.stringify(given), [...states.keys()], at],
  );
}

export async function appendAlertEvents(
  sql: Sql,
  transitions: readonly Transition[],
): Promise<void> {
  if (transitions.length === 0) return;
  await sql.query(
    `INSERT INTO control.alert_event (rule, level, instance, severity, transition, value, at)
     SELECT rule, level, instance, severity, kind, value, to_timestamp(at / 1000.0)
     FROM jsonb_to_recordset($1::jsonb) AS given
       (rule text, level text, instance text, severity text, kind text, value float8, at float8)`,
    [JSON.stringify(transitions)],
  );
}

export interface ActiveAlert {
  readonly rule: string;
  readonly instance: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly phase: "pending" | "firing";
  /** The strictest firing level; null while pending. */
  readonly level: string | null;
  readonly severity: Severity | null;
  /** Last value seen; null: no data yet. */
  readonly value: number | null;
  /** When the condition began. */
  readonly since: Date;
  readonly toldAt: Date | null;
}

/** Firing first, then pending, oldest first. */
export async function listActiveAlerts(sql: Sql): Promise<ActiveAlert[]> {
  const { rows } = await sql.query<{ rule: string; instance: string; state: InstanceState }>(
    `SELECT rule, instance, state FROM control.alert_state
     WHERE state->'levels' <> '{}'
     ORDER BY state->>'level' IS NULL, (state->>'since')::float8, rule, instance`,
  );
  return rows.map(({ rule, instance, state }) => ({
    rule,
    instance,
    labels: state.labels,
    phase: state.level === null ? "pending" : "firing",
    level: state.level,
    severity: state.severity,
    value: state.value,
    since: new Date(state.since ?? firstActive(state)),
    toldAt: state.told && new Date(state.told.at),
  }));
}

function firstActive({ levels, tickAt }: InstanceState): number {
  return Math.min(tickAt, ...Object.values(levels).map(({ activeAt }) => activeAt));
}

export interface AlertEvent {
  readonly id: number;
  readonly rule: string;
  readonly instance: string;
  readonly transition: Transition["kind"];
  readonly level: string | null;
  readonly severity: Severity | null;
  readonly value: number | null;
  readonly at: Date;
}

const HISTORY_MAX = 200;

/** Newest first, at most 200. */
export async function listAlertHistory(sql: Sql, limit: number): Promise<AlertEvent[]> {
  const { rows } = await sql.query<AlertEvent>(
    `SELECT id, rule, instance, transition, level, severity, value, at
     FROM control.alert_event ORDER BY at DESC, id DESC LIMIT $1`,
    [Math.min(limit, HISTORY_MAX)],
  );
  return rows;
}
