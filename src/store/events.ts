/** Rows of `events`: what GitHub told us, one a delivery (HB-db-15). */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

export interface Delivery {
  readonly deliveryId: string;
  readonly eventType: string;
  readonly body: JsonObject;
  readonly receivedAt: Date;
}

export interface NewEvent {
  readonly deliveryId: string;
  readonly source: string;
  readonly eventType: string;
  readonly repoId: string | null;
  readonly payload: JsonObject;
  readonly occurredAt: Date;
}

/** What the webhook door stored under this delivery id; null when it never came, or was removed. */
export async function findGithubDelivery(sql: Sql, deliveryId: string): Promise<Delivery | null> {
  const { rows } = await sql.query<Delivery>(
    `SELECT delivery_id AS "deliveryId", event_type AS "eventType", body, received_at AS "receivedAt"
     FROM control.inbound WHERE source = 'github' AND delivery_id = $1`,
    [deliveryId],
  );
  return rows[0] ?? null;
}

/** False when this delivery is an event already: a repeat changes nothing. */
export async function addEvent(sql: Sql, event: NewEvent): Promise<boolean> {
  const { rowCount } = await sql.query(
    `INSERT INTO events (delivery_id, source, event_type, repo_id, payload, occurred_at)
     VALUES ($1, $2, $3, $4, $5::jsonb, $6)
     ON CONFLICT (delivery_id) DO NOTHING`,
    [
      event.deliveryId,
      event.source,
      event.eventType,
      event.repoId,
      JSON.stringify(event.payload),
      event.occurredAt,
    ],
  );
  return rowCount === 1;
}

export async function settleGithubDelivery(
  sql: Sql,
  deliveryId: string,
  outcome: string,
): Promise<void> {
  await sql.query(
    `UPDATE control.inbound SET status = 'handled', outcome = $2, handled_at = now()
     WHERE source = 'github' AND delivery_id = $1 AND status = 'received'`,
    [deliveryId, outcome],
  );
}
