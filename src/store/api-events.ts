/** Events that nobody sent us: made of what GitHub's API still knows of the past. */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

/** Told apart from what GitHub sent by itself (`github`): of the past only the newest state is known. */
export const API_SOURCE = "github-api";

export interface ApiEvent {
  /** The same for the same state of the same thing: read again, it is the same event. */
  readonly deliveryId: string;
  readonly eventType: string;
  readonly repoId: string;
  readonly payload: JsonObject;
  readonly occurredAt: Date;
}

/**
 * Those that stand already are left as they are, and so is what GitHub has sent by itself: an event of the same
 * action on the same pull request or release within a minute. Returns how many are new.
 */
export async function addApiEvents(tx: Sql, events: readonly ApiEvent[]): Promise<number> {
  const { rowCount } = await tx.query(
    `INSERT INTO events (delivery_id, source, event_type, repo_id, payload, occurred_at)
     SELECT e."deliveryId", $2, e."eventType", e."repoId", e.payload, e."occurredAt"
     FROM jsonb_to_recordset($1::jsonb) AS e("deliveryId" text, "eventType" text, "repoId" text,
       payload jsonb, "occurredAt" timestamptz)
     WHERE NOT EXISTS (
       SELECT FROM events sent
       WHERE sent.repo_id = e."repoId" AND sent.source = 'github' AND sent.event_type = e."eventType"
         AND sent.occurred_at BETWEEN e."occurredAt" - interval '1 minute' AND e."occurredAt" + interval '1 minute'
         AND sent.payload -> 'action' = e.payload -> 'action'
         AND sent.payload -> e."eventType" -> 'id' = e.payload -> e."eventType" -> 'id')
     ORDER BY e."deliveryId"
     ON CONFLICT (delivery_id) DO NOTHING`,
    [JSON.stringify(events), API_SOURCE],
  );
  return rowCount;
}
