/** The append-only, hash-chained record of who changed what. Appended by SQL alone, so plain SQL is in it too. */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "./database.js";

export interface NewAuditEntry {
  /** `cli:ann`, `slack:U123`, `healdec`, `sql:algobrain`. */
  readonly actor: string;
  /** `job.retried`: noun and participle. */
  readonly action: string;
  /** The id of what was acted on: `job-123`, `queue:index`. */
  readonly target: string;
  /** Redacted facts: never a secret. */
  readonly details?: JsonObject | undefined;
}

export interface AuditEntry {
  readonly seq: number;
  readonly createdAt: Date;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly details: JsonObject;
}

export interface AuditVerdict {
  readonly ok: boolean;
  /** Entries looked at. */
  readonly entries: number;
  /** The first entry that is missing or does not fit; null when all is well. */
  readonly brokenAt: number | null;
}

const VERIFY_BATCH = 10_000;
const AUDIT_COLUMNS = `seq, created_at AS "createdAt", actor, action, target, details`;

/** The entry's number. Call it last in a transaction: appends wait for each other until the commit. */
export async function appendAudit(sql: Sql, entry: NewAuditEntry): Promise<number> {
  const { rows } = await sql.query<{ seq: number }>(
    "SELECT control.audit_append($1, $2, $3, $4) AS seq",
    [entry.actor, entry.action, entry.target, entry.details ?? {}],
  );
  return rows[0]!.seq;
}

/** Oldest first. */
export async function readAuditOfTarget(
  sql: Sql,
  target: string,
  limit = 200,
): Promise<AuditEntry[]> {
  const { rows } = await sql.query<AuditEntry>(
    `SELECT * FROM (
       SELECT ${AUDIT_COLUMNS} FROM public.audit_log WHERE target = $1 ORDER BY created_at DESC, seq DESC LIMIT $2
     ) newest ORDER BY seq`,
    [target, limit],
  );
  return rows;
}

/** Newest first. */
export async function listAudit(
  sql: Sql,
  filter: { limit: number; beforeSeq?: number | undefined; actor?: string | undefined },
): Promise<AuditEntry[]> {
  const { rows } = await sql.query<AuditEntry>(
    `SELECT ${AUDIT_COLUMNS} FROM public.audit_log
     WHERE ($1::bigint IS NULL OR seq < $1) AND ($2::text IS NULL OR actor = $2)
     ORDER BY seq DESC LIMIT $3`,
    [filter.beforeSeq ?? null, filter.actor ?? null, filter.limit],
  );
  return rows;
}

/** An entry's place in the chain. */
export interface AuditLink {
  readonly seq: number;
  readonly hash: Buffer;
}

/**
 * Recomputes the chain from the oldest kept entry to the head. A changed, inserted or missing entry
 * breaks it at its number; a cut-off end breaks it at the first missing number.
 */
export async function verifyAudit(
  sql: Sql,
  /** Only what follows it; null: all that is kept. */
  after: AuditLink | null = null,
): Promise<AuditVerdict> {
  const head = await readAuditHead(sql);
  const verdict = await verifyFrom(sql, head, after && after.seq >= head.keptFrom ? after : null);
  // Retention may have taken the oldest meanwhile: that is no break, and the rest is looked at anew.
  const hasMoved = !verdict.ok && (await readAuditHead(sql)).keptFrom !== head.keptFrom;
  return hasMoved ? verifyAudit(sql, after) : verdict;
}

async function verifyFrom(
  sql: Sql,
  head: AuditHead,
  after: AuditLink | null,
): Promise<AuditVerdict> {
  let entries = 0;
  let last: AuditLink | null = after;
  for (;;) {
    const batch = await verifyBatch(sql, last, head.keptFrom);
    entries += batch.entries;
    if (batch.brokenAt !== null) return { ok: false, entries, brokenAt: batch.brokenAt };
    if (batch.last === null) break;
    last = batch.last;
  }
  const reached = last?.seq ?? head.keptFrom - 1;
  if (reached < head.seq) return { ok: false, entries, brokenAt: reached + 1 };
  // Entries appended since the head was read are verified, but are not the head's.
  const fits = last === null || reached > head.seq || last.hash.equals(head.hash);
  return { ok: fits, entries, brokenAt: fits ? null : reached };
}

export interface AuditHead extends AuditLink {
  /** The oldest entry that retention has left. */
  readonly keptFrom: number;
}

export async function readAuditHead(sql: Sql): Promise<AuditHead> {
  const { rows } = await sql.query<AuditHead>(
    `SELECT seq, hash, kept_from AS "keptFrom" FROM control.audit_head`,
  );
  return rows[0]!;
}

const VERIFY = `
WITH batch AS (
  SELECT * FROM public.audit_log WHERE seq > $1 ORDER BY seq LIMIT ${VERIFY_BATCH}
), linked AS (
  SELECT seq, hash,
    hash = control.audit_hash(prev_hash, seq, created_at, actor, action, target, details)
      AND prev_hash = coalesce(lag(hash) OVER (ORDER BY seq), $2, CASE WHEN seq = 1 THEN '\\x00'::bytea ELSE prev_hash END)
      AS fits,
    coalesce(lag(seq) OVER (ORDER BY seq), $3) + 1 AS expected
  FROM batch
)
SELECT count(*)::int AS entries,
       min(CASE WHEN seq <> expected THEN expected WHEN NOT fits THEN seq END) AS "brokenAt",
       max(seq) AS seq,
       (SELECT hash FROM linked ORDER BY seq DESC LIMIT 1) AS hash
FROM linked`;

async function verifyBatch(
  sql: Sql,
  after: AuditLink | null,
  keptFrom: number,
): Promise<{ entries: number; brokenAt: number | null; last: AuditLink | null }> {
  const { rows } = await sql.query<{
    entries: number;
    brokenAt: number | null;
    seq: number | null;
    hash: Buffer | null;
  }>(VERIFY, [after?.seq ?? 0, after?.hash ?? null, after?.seq ?? keptFrom - 1]);
  const { entries, brokenAt, seq, hash } = rows[0]!;
  return { entries, brokenAt, last: seq !== null && hash !== null ? { seq, hash } : null };
}
