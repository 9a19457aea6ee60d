/** What was said in no message of its own: each entry stands in exactly one digest, and a digest is a notice. */
import type { Severity } from "../policy/policy.js";
import type { Sql } from "./database.js";
import type { Lane } from "./receiver-lanes.js";

export interface DigestEntry {
  readonly receiver: string;
  readonly lane: Lane;
  readonly groupKey: string;
  readonly rule: string;
  readonly level: string | null;
  readonly severity: Severity;
  readonly action: "trigger" | "resolve";
  /** How many alerts of the group it speaks of. */
  readonly alerts: number;
  readonly reason: string;
  /** Keys of the first of them. */
  readonly instances: readonly string[];
  readonly at: Date;
}

const BATCH = 1_000;
const INSTANCES_MAX = 200;

export async function insertDigestEntries(
  sql: Sql,
  entries: readonly DigestEntry[],
): Promise<void> {
  for (let from = 0; from < entries.length; from += BATCH) {
    const batch = entries
      .slice(from, from + BATCH)
      .map((entry) => ({ ...entry, instances: entry.instances.slice(0, INSTANCES_MAX) }));
    await sql.query(
      `INSERT INTO control.digest_entry
         (receiver, lane, group_key, rule, level, severity, action, alerts, reason, instances, at)
       SELECT receiver, lane, "groupKey", rule, level, severity, action, alerts, reason,
         ARRAY(SELECT jsonb_array_elements_text(instances)), at
       FROM jsonb_to_recordset($1::jsonb) AS given (receiver text, lane text, "groupKey" text,
         rule text, level text, severity text, action text, alerts integer, reason text,
         instances jsonb, at timestamptz)`,
      [JSON.stringify(batch)],
    );
  }
}

/** Entries of one sort that no digest carries yet. */
export interface DigestPart {
  readonly rule: string;
  readonly level: string | null;
  readonly severity: Severity;
  readonly action: "trigger" | "resolve";
  readonly alerts: number;
  /** The newest of them: what comes later is for the next digest. */
  readonly lastId: number;
  /** The first one's key. */
  readonly groupKey: string;
}

/** Those with the most alerts first. */
export async function readOpenParts(
  sql: Sql,
  lane: { readonly receiver: string; readonly lane: Lane },
): Promise<DigestPart[]> {
  const { rows } = await sql.query<DigestPart>(
    `SELECT rule, level, severity, action, sum(alerts)::int AS alerts, max(id) AS "lastId",
       (array_agg(group_key ORDER BY id))[1] AS "groupKey"
     FROM control.digest_entry WHERE receiver = $1 AND lane = $2 AND notice_id IS NULL
     GROUP BY rule, level, severity, action
     ORDER BY severity, sum(alerts) DESC, rule, action`,
    [lane.receiver, lane.lane],
  );
  return rows;
}

/** From now on these entries stand in this notice. */
export async function closeDigest(
  sql: Sql,
  digest: {
    readonly receiver: string;
    readonly lane: Lane;
    readonly lastId: number;
    readonly noticeId: number;
  },
): Promise<void> {
  await sql.query(
    `UPDATE control.digest_entry SET notice_id = $4
     WHERE receiver = $1 AND lane = $2 AND notice_id IS NULL AND id <= $3`,
    [digest.receiver, digest.lane, digest.lastId, digest.noticeId],
  );
}

export interface DigestSum {
  readonly digests: number;
  readonly alerts: number;
}

/** Digests under this key since the last one that said it was over. */
export async function sumDigests(
  sql: Sql,
  { receiver, dedupKey }: { readonly receiver: string; readonly dedupKey: string },
): Promise<DigestSum> {
  const { rows } = await sql.query<DigestSum>(
    `SELECT count(*)::int AS digests, coalesce(sum(alerts), 0)::int AS alerts FROM control.notice
     WHERE receiver = $1 AND dedup_key = $2 AND action = 'trigger' AND id > coalesce(
       (SELECT max(id) FROM control.notice
        WHERE receiver = $1 AND dedup_key = $2 AND action = 'resolve'), 0)`,
    [receiver, dedupKey],
  );
  return rows[0]!;
}

export interface StoredEntry extends DigestEntry {
  readonly id: number;
}

const PAGE_MAX = 1_000;

/** At most 1,000 entries of a digest after `after`, in the order in which they were made. */
export async function listDigestEntries(
  sql: Sql,
  page: { readonly noticeId: number; readonly after: number; readonly limit: number },
): Promise<StoredEntry[]> {
  const { rows } = await sql.query<StoredEntry>(
    `SELECT id, receiver, lane, group_key AS "groupKey", rule, level, severity, action, alerts, reason,
       instances, at
     FROM control.digest_entry WHERE notice_id = $1 AND id > $2 ORDER BY id LIMIT $3`,
    [page.noticeId, page.after, Math.min(page.limit, PAGE_MAX)],
  );
  return rows;
}
