/** What the evaluator remembers of each instance, and the history of what it found. */
import { restoreState } from "../alert/restore.js";
import type { InstanceState, RuleState, Transition } from "../alert/state.js";
import type { AlertRule, Severity } from "../policy/policy.js";
import { type AlertClock, writeAlertClock } from "./alert-clock.js";
import type { Sql } from "./database.js";

/**
 * Every instance that is remembered, by rule. A row is written when its memory changes, and the clock at every tick: so
 * the states of these rules are moved on to the clock of their interval; those of others come as they were written.
 */
export async function loadAlertStates(
  sql: Sql,
  rules: readonly Pick<AlertRule, "name" | "everyMs">[],
): Promise<Map<string, RuleState>> {
  // One statement: clock and rows of one commit.
  const { rows } = await sql.query<{
    rule: string;
    instances: Record<string, InstanceState>;
    clock: Record<string, number> | null;
  }>(
    `SELECT rule, jsonb_object_agg(instance, state) AS instances,
       (SELECT jsonb_object_agg(every_ms, extract(epoch FROM tick_at) * 1000) FROM control.alert_clock) AS clock
     FROM control.alert_state GROUP BY rule ORDER BY rule`,
  );
  const everyOf = new Map(rules.map(({ name, everyMs }) => [name, everyMs]));
  return new Map(
    rows.map(({ rule, instances, clock }) => {
      const tickAt = clock?.[String(everyOf.get(rule))] ?? null;
      return [rule, restoreState(instances, tickAt)];
    }),
  );
}

interface InstanceKey {
  readonly rule: string;
  readonly instance: string;
}

export interface StateChanges {
  readonly upsert: readonly (InstanceKey & { readonly state: InstanceState })[];
  readonly remove: readonly InstanceKey[];
}

/** Rows a statement: a storm of thousands is some megabytes each, well within its time. */
const ROWS_A_STATEMENT = 1_000;

/** Writes what changed, and when rules were judged, for `loadAlertStates`. Rows are taken in one order by everybody. */
export async function saveAlertStates(
  tx: Sql,
  { upsert, remove }: StateChanges,
  clock: AlertClock,
): Promise<void> {
  const ticks = clock.map(({ tickAt }) => tickAt.getTime());
  const at = ticks.length === 0 ? null : new Date(Math.max(...ticks));
  for (const rows of pagesOf(upsert)) {
    // One text of all rows is read twice as fast as an array of texts.
    const given = rows.map(({ rule, instance, state }) => [rule, instance, state]);
    await tx.query(
      `INSERT INTO control.alert_state (rule, instance, state, updated_at)
       SELECT given->>0, given->>1, given->2, coalesce($2, now()) FROM jsonb_array_elements($1::jsonb) AS given
       ON CONFLICT (rule, instance) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at`,
      [JSON.stringify(given), at],
    );
  }
  for (const rows of pagesOf(remove)) {
    await tx.query(
      `DELETE FROM control.alert_state s USING unnest($1::text[], $2::text[]) AS given (rule, instance)
       WHERE s.rule = given.rule AND s.instance = given.instance`,
      [rows.map(({ rule }) => rule), rows.map(({ instance }) => instance)],
    );
  }
  await writeAlertClock(tx, clock);
}

function pagesOf<Key extends InstanceKey>(keys: readonly Key[]): Key[][] {
  const ordered = [...keys].sort(
    (a, b) => compare(a.rule, b.rule) || compare(a.instance, b.instance),
  );
  const pages: Key[][] = [];
  for (let i = 0; i < ordered.length; i += ROWS_A_STATEMENT) {
    pages.push(ordered.slice(i, i + ROWS_A_STATEMENT));
  }
  return pages;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export async function appendAlertEvents(
  sql: Sql,
  transitions: readonly Transition[],
): Promise<void> {
  if (transitions.length === 0) return;
  await sql.query(
    `INSERT INTO control.alert_event (rule, level, instance, labels, severity, transition, value, at)
     SELECT rule, level, instance, labels, severity, kind, value, to_timestamp(at / 1000.0)
     FROM jsonb_to_recordset($1::jsonb) AS given
       (rule text, level text, instance text, labels jsonb, severity text, kind text, value float8, at float8)`,
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
  /** Null in rows of a version that did not keep them. */
  readonly labels: Readonly<Record<string, string>> | null;
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
    `SELECT id, rule, instance, labels, transition, level, severity, value, at
     FROM control.alert_event ORDER BY at DESC, id DESC LIMIT $1`,
    [Math.min(limit, HISTORY_MAX)],
  );
  return rows;
}
