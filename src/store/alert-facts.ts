/** What stands in the database about alerts, for those who read: what fires, and all that is known of one rule. */
import type { GroupState } from "../alert/group.js";
import { restoreState } from "../alert/restore.js";
import type { InstanceState, RuleState, Transition } from "../alert/state.js";
import type { AlertRule, Severity } from "../policy/policy.js";
import type { Sql } from "./database.js";

export interface StoredFiring {
  readonly rule: string;
  readonly instance: string;
  readonly state: InstanceState;
  /** When its interval was last judged; null: never by this version. */
  readonly judgedAt: Date | null;
}

/** A storm has thousands; what is shown of more than these would be read by nobody. */
const FIRING_MAX = 10_000;

/** @param rules For their intervals: an alert whose rule is gone comes without its clock. */
export async function listFiring(
  sql: Sql,
  rules: readonly Pick<AlertRule, "name" | "everyMs">[],
): Promise<StoredFiring[]> {
  const { rows } = await sql.query<StoredFiring>(
    `SELECT s.rule, s.instance, s.state, c.tick_at AS "judgedAt" FROM control.alert_state s
     LEFT JOIN unnest($1::text[], $2::int[]) AS r (rule, every_ms) USING (rule)
     LEFT JOIN control.alert_clock c USING (every_ms)
     WHERE s.state->'levels' <> '{}' AND s.state->>'level' IS NOT NULL
     ORDER BY s.rule, s.instance LIMIT $3`,
    [rules.map(({ name }) => name), rules.map(({ everyMs }) => everyMs), FIRING_MAX],
  );
  return rows;
}

/** The instances of one rule that are remembered, moved on to the clock of its interval. */
export async function readRuleState(
  sql: Sql,
  { name, everyMs }: Pick<AlertRule, "name" | "everyMs">,
): Promise<{ readonly state: RuleState; readonly judgedAt: Date | null }> {
  const { rows } = await sql.query<{ instances: RuleState | null; judgedAt: Date | null }>(
    `SELECT (SELECT jsonb_object_agg(instance, state) FROM control.alert_state WHERE rule = $1) AS instances,
       (SELECT tick_at FROM control.alert_clock WHERE every_ms = $2) AS "judgedAt"`,
    [name, everyMs],
  );
  const { instances, judgedAt } = rows[0]!;
  return { state: restoreState(instances ?? {}, judgedAt?.getTime() ?? null), judgedAt };
}

export interface StoredGroup {
  readonly receiver: string;
  readonly groupKey: string;
  readonly state: GroupState;
  readonly nextAt: Date | null;
}

/** What each receiver was told of the rule's groups. */
export async function readRuleGroups(sql: Sql, rule: string): Promise<StoredGroup[]> {
  const { rows } = await sql.query<StoredGroup>(
    `SELECT receiver, group_key AS "groupKey", state, next_at AS "nextAt" FROM control.alert_group
     WHERE rule = $1 ORDER BY receiver, group_key`,
    [rule],
  );
  return rows;
}

export interface StoredLane {
  readonly receiver: string;
  readonly lane: "normal" | "critical";
  readonly tokens: number;
  readonly refilledAt: Date;
  /** Null: there is no storm. */
  readonly stormSince: Date | null;
  /** What waits for the next digest. */
  readonly waiting: number;
}

export async function readLanes(sql: Sql, receivers: readonly string[]): Promise<StoredLane[]> {
  const { rows } = await sql.query<StoredLane>(
    `SELECT receiver, lane, tokens, refilled_at AS "refilledAt", storm_since AS "stormSince",
       (SELECT count(*)::int FROM control.digest_entry d
        WHERE d.receiver = l.receiver AND d.lane = l.lane AND d.notice_id IS NULL) AS waiting
     FROM control.receiver_lane l WHERE receiver = ANY ($1) ORDER BY receiver, lane`,
    [receivers],
  );
  return rows;
}

export interface StoredTransition {
  readonly transition: Transition["kind"];
  readonly level: string | null;
  readonly severity: Severity | null;
  readonly value: number | null;
  readonly at: Date;
}

/** Of one alert, newest first. */
export async function readTransitions(
  sql: Sql,
  alert: { readonly rule: string; readonly instance: string },
  limit: number,
): Promise<StoredTransition[]> {
  const { rows } = await sql.query<StoredTransition>(
    `SELECT transition, level, severity, value, at FROM control.alert_event
     WHERE rule = $1 AND instance = $2 ORDER BY at DESC, id DESC LIMIT $3`,
    [alert.rule, alert.instance, limit],
  );
  return rows;
}
