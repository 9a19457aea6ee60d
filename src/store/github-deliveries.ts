/** GitHub deliveries: a row first, then a job (design 3, decision 8). Headers, and so secrets, are not stored. */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";
import { enqueueJob } from "./jobs.js";

export interface GithubDelivery {
  /** `X-GitHub-Delivery`: the same on a redelivery. */
  readonly deliveryId: string;
  /** `X-GitHub-Event`, e.g. `push`. */
  readonly eventType: string;
  readonly body: JsonObject;
}

export type DeliveryOutcome =
  | { readonly outcome: "accepted"; readonly jobId: string }
  | { readonly outcome: "ignored" }
  | { readonly outcome: "duplicate" };

/**
 * Records the delivery and enqueues its `ingest` job, in the caller's transaction. A known delivery id
 * changes nothing. With `ingest: false` (a ping, or nobody who ingests) the row alone is kept.
 */
export async function recordGithubDelivery(
  tx: Sql,
  delivery: GithubDelivery,
  options: { readonly ingest: boolean; readonly priority?: number },
): Promise<DeliveryOutcome> {
  const { rows } = await tx.query<{ id: number }>(
    `INSERT INTO control.inbound (source, delivery_id, event_type, body, status, outcome, handled_at)
     VALUES ('github', $1, $2, $3::jsonb, $4, $5, CASE WHEN $4 = 'ignored' THEN now() END)
     ON CONFLICT (source, delivery_id) DO NOTHING
     RETURNING id`,
    [
      delivery.deliveryId,
      delivery.eventType,
      JSON.stringify(delivery.body),
      options.ingest ? "received" : "ignored",
      options.ingest ? null : "nothing to ingest",
    ],
  );
  const [row] = rows;
  if (!row) return { outcome: "duplicate" };
  if (!options.ingest) return { outcome: "ignored" };
  const job = await enqueueJob(tx, {
    kind: "ingest",
    payload: { delivery_id: delivery.deliveryId },
    requestedBy: "github",
    ...(options.priority === undefined ? {} : { priority: options.priority }),
  });
  await tx.query("UPDATE control.inbound SET job_seq = $2 WHERE id = $1", [row.id, job.seq]);
  return { outcome: "accepted", jobId: job.id };
}
