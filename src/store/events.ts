/** Rows of `events`: what GitHub told us, one a delivery (HB-db-15). */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

export interface NewEvent {
  readonly deliveryId: string;
  readonly source: string;
  readonly eventType: string;
  readonly repoId: string | null;
  readonly payload: JsonObject;
  readonly occurredAt: Date;
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
    "add-event",
  );
  return rowCount === 1;
}
