/**
 * The outbox: what is to be said is a row, written with what caused it, and a job of the internal lane that
 * sends it. At least once, with keys that make twice harmless.
 */
import type { Delivery } from "../alert/port.js";
import type { Severity } from "../policy/policy.js";
import type { Sql } from "./database.js";
import { enqueueJob } from "./jobs.js";

/** What a receiver will be given, and why. */
export interface NewNotice extends Omit<Delivery, "receiver" | "noticeId" | "alerts"> {
  /** Default: the next one. */
  readonly id?: number;
  /** Name in routes.yaml: what stands behind it is looked up when it is sent. */
  readonly receiver: string;
  /** `<rule>/<labels>`; null, as by default: a word of the runtime. */
  readonly groupKey?: string | null;
  /** How many alerts it speaks of; default 1. */
  readonly alerts?: number;
  /** Why we speak, by name. */
  readonly reason: string;
}

export interface Notice extends NewNotice {
  readonly id: number;
  readonly groupKey: string | null;
  readonly alerts: number;
  /** Since when it is on its way and nobody knows whether it arrived. */
  readonly sendingAt: Date | null;
  readonly status: "pending" | "sent" | "dead";
  /** Deliveries that were tried. */
  readonly attempts: number;
  readonly lastError: string | null;
  /** The receiver's own name of it once sent. */
  readonly reference: string | null;
  readonly createdAt: Date;
  readonly sentAt: Date | null;
}

/** A page overtakes what is only news. */
const PRIORITY: Readonly<Record<Severity, number>> = { sev1: 10, sev2: 8, sev3: 5, sev4: 3 };

/** Row and job: call it inside the transaction of what caused it, so that neither is without the other. */
export async function enqueueNotice(tx: Sql, notice: NewNotice): Promise<number> {
  const id = await insertNotice(tx, notice);
  const job = await enqueueJob(tx, {
    kind: "notice",
    payload: { notice_id: id },
    priority: PRIORITY[notice.severity],
  });
  await tx.query("UPDATE control.notice SET job_seq = $2 WHERE id = $1", [id, job.seq]);
  return id;
}

async function insertNotice(tx: Sql, notice: NewNotice): Promise<number> {
  const { receiver, dedupKey, action, severity, source, message, details, reason } = notice;
  const { groupKey = null, alerts = 1 } = notice;
  // A run may insert here, and has no right to numbers: only who asked for one brings it.
  const given = notice.id === undefined ? [] : [notice.id];
  const [column, value] = given.length === 0 ? ["", ""] : [", id", ", $11"];
  const { rows } = await tx.query<{ id: number }>(
    `INSERT INTO control.notice
       (receiver, dedup_key, action, severity, source, message, details, reason, group_key, alerts${column})
     OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10${value}) RETURNING id`,
    [
      ...[receiver, dedupKey, action, severity, source],
      ...[JSON.stringify(message), JSON.stringify(details), reason, groupKey, alerts, ...given],
    ],
  );
  return rows[0]!.id;
}

const NEXT_ID = "nextval(pg_get_serial_sequence('control.notice', 'id'))";

/** For a message that names itself. */
export async function nextNoticeId(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ id: number }>(`SELECT ${NEXT_ID} AS id`);
  return rows[0]!.id;
}

const COLUMNS = `id, receiver, dedup_key AS "dedupKey", action, severity, source, message, details, reason,
  group_key AS "groupKey", alerts, status, attempts, last_error AS "lastError", reference,
  sending_at AS "sendingAt", created_at AS "createdAt", sent_at AS "sentAt"`;

export async function readNotice(sql: Sql, id: number): Promise<Notice | null> {
  const { rows } = await sql.query<Notice>(`SELECT ${COLUMNS} FROM control.notice WHERE id = $1`, [
    id,
  ]);
  return rows[0] ?? null;
}

const LIST_MAX = 200;

/** Newest first, at most 200; `status` narrows, e.g. to dead letters. */
export async function listNotices(
  sql: Sql,
  filter: { readonly status?: Notice["status"] | undefined; readonly limit: number },
): Promise<Notice[]> {
  const { rows } = await sql.query<Notice>(
    `SELECT ${COLUMNS} FROM control.notice WHERE $1::text IS NULL OR status = $1
     ORDER BY created_at DESC, id DESC LIMIT $2`,
    [filter.status ?? null, Math.min(filter.limit, LIST_MAX)],
  );
  return rows;
}

/** False when it was no longer pending. */
export async function markNoticeSent(
  sql: Sql,
  id: number,
  sent: { readonly reference: string | null; readonly at: Date },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE control.notice SET status = 'sent', attempts = attempts + 1, last_error = NULL,
       reference = $2, sent_at = $3, sending_at = NULL
     WHERE id = $1 AND status = 'pending'`,
    [id, sent.reference, sent.at],
  );
  return rowCount === 1;
}

/** Before the call: whoever tries it again knows that it may have arrived. */
export async function markNoticeSending(sql: Sql, id: number, at: Date): Promise<void> {
  await sql.query(
    `UPDATE control.notice SET sending_at = $2 WHERE id = $1 AND status = 'pending'`,
    [id, at],
  );
}

/**
 * It stays pending; `tried` counts an attempt, which waiting for a token or for our turn is not. `refused`: the
 * receiver certainly did not take it.
 */
export async function markNoticeFailed(
  sql: Sql,
  id: number,
  failure: { readonly error: string; readonly tried: boolean; readonly refused?: boolean },
): Promise<void> {
  await sql.query(
    `UPDATE control.notice SET attempts = attempts + $3, last_error = $2,
       sending_at = CASE WHEN $4 THEN NULL ELSE sending_at END
     WHERE id = $1 AND status = 'pending'`,
    [id, failure.error, failure.tried ? 1 : 0, failure.refused ?? false],
  );
}

/** Never tried again, and kept: a dead letter is a thing that people were not told. */
export async function markNoticeDead(sql: Sql, id: number, error: string): Promise<void> {
  await sql.query(
    `UPDATE control.notice SET status = 'dead', last_error = $2 WHERE id = $1 AND status = 'pending'`,
    [id, error],
  );
}

/** Whether something older about the same trouble is still to be said: a resolve must not overtake its trigger. */
export async function hasEarlierNotice(sql: Sql, notice: Notice): Promise<boolean> {
  const { rows } = await sql.query(
    `SELECT FROM control.notice
     WHERE receiver = $1 AND dedup_key = $2 AND id < $3 AND status = 'pending' LIMIT 1`,
    [notice.receiver, notice.dedupKey, notice.id],
  );
  return rows.length > 0;
}

/**
 * Takes back what is still open of one trouble, with each receiver that was told of it, whoever would be told by now;
 * nothing where nothing is open. `key`: what stands behind the system in `dedupKey`. Returns how many were taken back.
 */
export async function resolveNotices(
  tx: Sql,
  key: string,
  said: Pick<NewNotice, "message" | "details" | "reason">,
): Promise<number> {
  const { rows } = await tx.query<OpenTrouble>(
    `SELECT * FROM (
       SELECT DISTINCT ON (receiver, dedup_key) receiver, dedup_key AS "dedupKey", action, severity, source
       FROM control.notice WHERE substr(dedup_key, strpos(dedup_key, '/') + 1) = $1
         AND status <> 'dead' ORDER BY receiver, dedup_key, id DESC) AS last
     WHERE action = 'trigger'`,
    [key],
  );
  for (const open of rows) await enqueueNotice(tx, { ...open, ...said, action: "resolve" });
  return rows.length;
}

type OpenTrouble = Pick<NewNotice, "receiver" | "dedupKey" | "severity" | "source">;

/** Digests cost no token: there is one a minute at most. */
export const DIGEST_REASONS = ["digest", "digest-over"] as const;

/** When the receiver's last notices of this lane were sent, digests apart, newest first, at most `limit`. */
export async function listSentSince(
  sql: Sql,
  lane: { readonly receiver: string; readonly critical: boolean },
  since: Date,
  limit: number,
): Promise<Date[]> {
  const { rows } = await sql.query<{ sentAt: Date }>(
    `SELECT sent_at AS "sentAt" FROM control.notice
     WHERE receiver = $1 AND (severity = 'sev1') = $2 AND sent_at > $3 AND reason <> ALL ($5)
     ORDER BY sent_at DESC LIMIT $4`,
    [lane.receiver, lane.critical, since, limit, DIGEST_REASONS],
  );
  return rows.map(({ sentAt }) => sentAt);
}

/** Whether the receiver hears, or has just heard, the same: pending or sent after `since`, and not taken back since. */
export async function isNoticeTold(
  sql: Sql,
  notice: Pick<NewNotice, "receiver" | "dedupKey" | "action">,
  since: Date,
): Promise<boolean> {
  const { rows } = await sql.query(
    `SELECT FROM control.notice told
     WHERE receiver = $1 AND dedup_key = $2 AND action = $3
       AND (status = 'pending' OR sent_at > $4)
       AND NOT EXISTS (
         SELECT FROM control.notice later
         WHERE later.receiver = $1 AND later.dedup_key = $2 AND later.action <> $3 AND later.id > told.id)
     LIMIT 1`,
    [notice.receiver, notice.dedupKey, notice.action, since],
  );
  return rows.length > 0;
}
