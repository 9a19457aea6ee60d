/** What each receiver was told of each group of alerts. Written by whoever holds the evaluator's lease, so no row is locked. */
import type { GroupState } from "../alert/group.js";
import type { Firing } from "../alert/inhibit.js";
import type { Sql } from "./database.js";

export interface StoredGroup {
  readonly receiver: string;
  /** `<rule>/<labels>`: alert/group-key. */
  readonly groupKey: string;
  readonly rule: string;
  readonly state: GroupState;
}

/** Rows a statement takes: a storm is some thousands of groups. */
const BATCH = 1_000;

/** Of these rules, of all receivers. */
export async function readGroups(sql: Sql, rules: readonly string[]): Promise<StoredGroup[]> {
  const { rows } = await sql.query<StoredGroup>(
    `SELECT receiver, group_key AS "groupKey", rule, state FROM control.alert_group
     WHERE rule = ANY ($1) ORDER BY receiver, group_key`,
    [rules],
  );
  return rows;
}

export async function saveGroups(
  sql: Sql,
  groups: readonly StoredGroup[],
  at: Date,
): Promise<void> {
  for (let from = 0; from < groups.length; from += BATCH) {
    const batch = groups.slice(from, from + BATCH);
    await sql.query(
      `INSERT INTO control.alert_group (receiver, group_key, rule, state, next_at, updated_at)
       SELECT receiver, key, rule, state, to_timestamp((state->>'nextFlushAt')::float8 / 1000), $5
       FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[]) AS given (receiver, key, rule, state)
       ON CONFLICT (receiver, group_key) DO UPDATE SET
         state = excluded.state, next_at = excluded.next_at, updated_at = excluded.updated_at`,
      [
        batch.map(({ receiver }) => receiver),
        batch.map(({ groupKey }) => groupKey),
        batch.map(({ rule }) => rule),
        batch.map(({ state }) => JSON.stringify(state)),
        at,
      ],
    );
  }
}

export async function forgetGroups(
  sql: Sql,
  groups: readonly Pick<StoredGroup, "receiver" | "groupKey">[],
): Promise<void> {
  if (groups.length === 0) return;
  await sql.query(
    `DELETE FROM control.alert_group g USING unnest($1::text[], $2::text[]) AS gone (receiver, key)
     WHERE g.receiver = gone.receiver AND g.group_key = gone.key`,
    [groups.map(({ receiver }) => receiver), groups.map(({ groupKey }) => groupKey)],
  );
}

export async function forgetGroupsOf(sql: Sql, rules: readonly string[]): Promise<void> {
  await sql.query("DELETE FROM control.alert_group WHERE rule = ANY ($1)", [rules]);
}

/** How many alerts of which the receiver was told still stand. */
export async function countStanding(sql: Sql, receiver: string): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM control.alert_group g, jsonb_object_keys(g.state->'told')
     WHERE g.receiver = $1`,
    [receiver],
  );
  return rows[0]!.count;
}

/** Instances of these rules that fire, as they were last stored. */
export async function readFiring(sql: Sql, rules: readonly string[]): Promise<Firing[]> {
  const { rows } = await sql.query<Firing>(
    `SELECT rule, state->'labels' AS labels FROM control.alert_state
     WHERE rule = ANY ($1) AND state->>'level' IS NOT NULL`,
    [rules],
  );
  return rows;
}
