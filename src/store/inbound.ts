/** Events from outside: a row and the job that will act on it, before they are acknowledged. */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";
import { enqueueJob, type NewJob } from "./jobs.js";

export type InboundSource = "slack" | "pagerduty" | "github";

export interface NewInbound {
  readonly source: InboundSource;
  /** The sender's own name of the delivery: a repeat has the same. */
  readonly deliveryId: string;
  readonly eventType: string;
  /** Only what will be needed: no response URL, no trigger, no token. */
  readonly body: JsonObject;
}

export interface Inbound extends NewInbound {
  readonly id: number;
  readonly status: "received" | "handled" | "ignored" | "refused";
  readonly outcome: string | null;
  readonly receivedAt: Date;
}

/** Call it in a transaction. `fresh` is false for a repeat: then nothing was written. */
export async function recordInbound(
  tx: Sql,
  event: NewInbound,
): Promise<{ id: number; fresh: boolean }> {
  const recorded = await recordForJob(tx, event, (id) => ({
    kind: "inbound",
    payload: { inbound_id: id },
  }));
  return recorded
    ? { id: recorded.id, fresh: true }
    : { id: await readId(tx, event), fresh: false };
}

/** The same with another job to act on it. Null for a repeat: then nothing was written. */
export async function recordForJob(
  tx: Sql,
  event: NewInbound,
  jobFor: (id: number) => NewJob,
): Promise<{ id: number; jobId: string } | null> {
  const { rows } = await tx.query<{ id: number }>(
    `INSERT INTO control.inbound (source, delivery_id, event_type, body) VALUES ($1, $2, $3, $4)
     ON CONFLICT (source, delivery_id) DO NOTHING RETURNING id`,
    [event.source, event.deliveryId, event.eventType, event.body],
  );
  const [row] = rows;
  if (!row) return null;
  const job = await enqueueJob(tx, jobFor(row.id));
  await tx.query("UPDATE control.inbound SET job_seq = $2 WHERE id = $1", [row.id, job.seq]);
  return { id: row.id, jobId: job.id };
}

/** Keeps what nobody acts on, so that the record is whole. False for a repeat. */
export async function recordIgnored(tx: Sql, event: NewInbound, why: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO control.inbound (source, delivery_id, event_type, body, status, outcome, handled_at)
     VALUES ($1, $2, $3, $4, 'ignored', $5, now()) ON CONFLICT (source, delivery_id) DO NOTHING`,
    [event.source, event.deliveryId, event.eventType, event.body, why],
  );
  return rowCount > 0;
}

async function readId(sql: Sql, event: NewInbound): Promise<number> {
  const { rows } = await sql.query<{ id: number }>(
    "SELECT id FROM control.inbound WHERE source = $1 AND delivery_id = $2",
    [event.source, event.deliveryId],
  );
  return rows[0]!.id;
}

export async function readInbound(sql: Sql, id: number): Promise<Inbound | null> {
  const { rows } = await sql.query<Inbound>(
    `SELECT id, source, delivery_id AS "deliveryId", event_type AS "eventType", body, status, outcome,
            received_at AS "receivedAt"
     FROM control.inbound WHERE id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

/** Held to the end of the transaction: two events about one incident are judged one after the other. */
export async function lockIncident(tx: Sql, incidentId: string): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('incident:' || $1, 0))", [
    incidentId,
  ]);
}

/**
 * The older row of the same event of PagerDuty: two subscriptions deliver it under two delivery ids. Null: this
 * is the first. The oldest is the one that counts, in whatever order they are judged.
 */
export async function findEarlierEvent(
  tx: Sql,
  id: number,
  { eventId, incidentId }: { readonly eventId: string; readonly incidentId: string },
): Promise<number | null> {
  const { rows } = await tx.query<{ id: number }>(
    `SELECT id FROM control.inbound
     WHERE source = 'pagerduty' AND body->>'eventId' = $2 AND body->>'incidentId' = $3 AND id < $1
     ORDER BY id LIMIT 1`,
    [id, eventId, incidentId],
  );
  return rows[0]?.id ?? null;
}

/** Whether PagerDuty said that the incident is resolved: its trigger may still be on the way. */
export async function isIncidentResolved(sql: Sql, incidentId: string): Promise<boolean> {
  const { rows } = await sql.query(
    `SELECT FROM control.inbound WHERE source = 'pagerduty' AND body->>'incidentId' = $1
       AND event_type = 'incident.resolved' LIMIT 1`,
    [incidentId],
  );
  return rows.length > 0;
}

/** Says what became of it. False when that was said before: then the caller's transaction must be given up. */
export async function settleInbound(
  tx: Sql,
  id: number,
  settled: { readonly status: "handled" | "ignored" | "refused"; readonly outcome: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE control.inbound SET status = $2, outcome = $3, handled_at = now()
     WHERE id = $1 AND status = 'received'`,
    [id, settled.status, settled.outcome],
  );
  return rowCount > 0;
}
