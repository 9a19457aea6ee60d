/** GitHub deliveries: a row first, then a job (design 3, decision 8). Headers, and so secrets, are not stored. */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";
import { recordForJob, recordIgnored } from "./inbound.js";

export interface GithubDelivery {
  /** `X-GitHub-Delivery`: the same on a redelivery. */
  readonly deliveryId: string;
  /** `X-GitHub-Event`, e.g. `push`. */
  readonly eventType: string;
  readonly body: JsonObject;
}

export interface StoredDelivery extends GithubDelivery {
  readonly receivedAt: Date;
}

export type DeliveryOutcome =
  | { readonly outcome: "accepted"; readonly jobId: string }
  | { readonly outcome: "ignored" }
  | { readonly outcome: "duplicate" };

/**
 * Records the delivery and enqueues its `ingest` job, in the caller's transaction. A known delivery id
 * changes nothing. With a reason to ignore it (a ping, or nobody who ingests) the row alone is kept.
 */
export async function recordGithubDelivery(
  tx: Sql,
  delivery: GithubDelivery,
  options: { readonly ignoredAs: string | null },
): Promise<DeliveryOutcome> {
  const event = { source: "github", ...delivery } as const;
  if (options.ignoredAs !== null) {
    const isNew = await recordIgnored(tx, event, options.ignoredAs);
    return { outcome: isNew ? "ignored" : "duplicate" };
  }
  const recorded = await recordForJob(tx, event, () => ({
    kind: "ingest",
    payload: { delivery_id: delivery.deliveryId },
    requestedBy: "github",
  }));
  return recorded ? { outcome: "accepted", jobId: recorded.jobId } : { outcome: "duplicate" };
}

/** What the door stored under this delivery id; null when it never came, or was removed. */
export async function findGithubDelivery(
  sql: Sql,
  deliveryId: string,
): Promise<StoredDelivery | null> {
  const { rows } = await sql.query<StoredDelivery>(
    `SELECT delivery_id AS "deliveryId", event_type AS "eventType", body, received_at AS "receivedAt"
     FROM control.inbound WHERE source = 'github' AND delivery_id = $1`,
    [deliveryId],
    "find-delivery",
  );
  return rows[0] ?? null;
}

/** With a `body`: that is what stays of it. */
export async function settleGithubDelivery(
  sql: Sql,
  deliveryId: string,
  outcome: string,
  body: JsonObject | null = null,
): Promise<void> {
  await sql.query(
    `UPDATE control.inbound
     SET status = 'handled', outcome = $2, handled_at = now(), body = coalesce($3::jsonb, body)
     WHERE source = 'github' AND delivery_id = $1 AND status = 'received'`,
    [deliveryId, outcome, body === null ? null : JSON.stringify(body)],
    "settle-delivery",
  );
}

/** Those of the given delivery ids that neither arrived nor became an event. */
export async function findUnarrived(sql: Sql, deliveryIds: readonly string[]): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `SELECT wanted.id FROM unnest($1::text[]) AS wanted(id)
     WHERE NOT EXISTS (SELECT FROM control.inbound i WHERE i.source = 'github' AND i.delivery_id = wanted.id)
       AND NOT EXISTS (SELECT FROM events e WHERE e.delivery_id = wanted.id)`,
    [deliveryIds],
  );
  return rows.map(({ id }) => id);
}
