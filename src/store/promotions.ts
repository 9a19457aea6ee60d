/** How far runbooks are trusted: what stands in their row, and what their runs say since. */
import type { PromotionLevel, PromotionRules } from "../policy/automation.js";
import { breakerClosed, breakerKey } from "../runbook/breaker-page.js";
import {
  higherOf,
  judgePromotion,
  type Promotion,
  type TrackRecord,
} from "../runbook/promotion.js";
import { appendAudit } from "./audit.js";
import { closeBreaker } from "./automation-breaker.js";
import type { Sql } from "./database.js";
import { resolveNotices } from "./notices.js";

export interface TrustSubject {
  readonly runbook: string;
  /** As runs are pinned to it (`pinOf`): another content starts again. */
  readonly pin: string;
  /** What the policy gives it beforehand. */
  readonly grant: PromotionLevel;
}

interface StoredTrust {
  readonly level: PromotionLevel;
  readonly isLost: boolean;
  readonly countsFrom: Date | null;
}

/** Reads and changes nothing. */
export async function readTrust(
  sql: Sql,
  subject: TrustSubject,
  rules: PromotionRules,
): Promise<Promotion> {
  return (await judge(sql, subject, rules)).promotion;
}

/**
 * The same, and what was earned or lost is written and audited. Two that end at once do not wait for each other:
 * both hold the audit's chain or will; the second writes nothing, and whoever asks next does.
 */
export async function settleTrust(
  tx: Sql,
  subject: TrustSubject,
  rules: PromotionRules,
): Promise<Promotion> {
  const mayWrite = await tryLock(tx, subject.runbook);
  const { promotion, before, stored } = await judge(tx, subject, rules);
  if (!mayWrite || promotion.change === null) return promotion;
  const isLost = promotion.change === "lost";
  await writeTrust(tx, subject, {
    level: promotion.level,
    // What the policy grants counts no more after a loss, until it has earned as much as can be granted.
    isLost: isLost || (stored?.isLost === true && promotion.level !== "auto"),
    countsFrom: isLost ? "now" : (stored?.countsFrom ?? null),
    reason: promotion.reason,
  });
  await appendAudit(tx, {
    actor: "system:promotion",
    action: isLost ? "runbook.demoted" : "runbook.promoted",
    target: `runbook:${subject.runbook}`,
    details: { from: before, to: promotion.level, reason: promotion.reason },
  });
  return promotion;
}

async function judge(sql: Sql, subject: TrustSubject, rules: PromotionRules) {
  const stored = await readStored(sql, subject);
  const level = stored?.level ?? "manual";
  const before = stored?.isLost ? level : higherOf(level, subject.grant);
  const record = await readRecord(sql, subject, stored?.countsFrom ?? null);
  return { stored, before, promotion: judgePromotion(record, rules, before) };
}

async function tryLock(tx: Sql, runbook: string): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_xact_lock(hashtext('trust:' || $1)) AS locked",
    [runbook],
  );
  return rows[0]!.locked;
}

async function readStored(sql: Sql, { runbook, pin }: TrustSubject): Promise<StoredTrust | null> {
  const { rows } = await sql.query<StoredTrust>(
    `SELECT level, is_lost AS "isLost", counts_from AS "countsFrom" FROM control.promotion
     WHERE runbook = $1 AND content_hash = $2`,
    [runbook, pin],
  );
  return rows[0] ?? null;
}

const REAL = "NOT dry_run AND NOT is_drill";
/**
 * What a person cancelled says nothing of the runbook, nor does what never began; what the version before ended,
 * because it cannot run it, has no deadline.
 */
const FAILED = `${REAL} AND automation IS NOT NULL AND deadline_at IS NOT NULL AND status IN ('failed', 'stalled')`;

async function readRecord(
  sql: Sql,
  { runbook, pin }: TrustSubject,
  from: Date | null,
): Promise<TrackRecord> {
  const { rows } = await sql.query<TrackRecord>(
    `WITH own AS (
       SELECT * FROM control.run WHERE runbook = $1 AND content_hash = $2 AND undo_of IS NULL
         AND ended_at > coalesce($3, '-infinity'::timestamptz)
     )
     SELECT count(*) FILTER (WHERE is_drill AND status = 'succeeded')::int AS drills,
       count(*) FILTER (WHERE ${REAL} AND status = 'succeeded')::int AS verified,
       count(DISTINCT (ended_at AT TIME ZONE 'UTC')::date) FILTER (WHERE ${REAL} AND status = 'succeeded')::int AS days,
       count(*) FILTER (WHERE ${FAILED} AND status = 'failed')::int AS failed,
       count(*) FILTER (WHERE ${FAILED} AND status = 'stalled')::int AS indeterminate,
       count(*) FILTER (WHERE ${FAILED} AND ended_at > coalesce((SELECT max(ended_at) FROM own
         WHERE ${REAL} AND automation IS NOT NULL AND status = 'succeeded'), '-infinity'))::int AS "lastFailures"
     FROM own`,
    [runbook, pin, from],
  );
  return rows[0]!;
}

interface NewTrust {
  readonly level: PromotionLevel;
  readonly isLost: boolean;
  readonly countsFrom: Date | "now" | null;
  readonly reason: string;
}

async function writeTrust(tx: Sql, { runbook, pin }: TrustSubject, trust: NewTrust): Promise<void> {
  await tx.query(
    `INSERT INTO control.promotion AS old (runbook, content_hash, level, is_lost, counts_from, reason, changed_at)
     VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN clock_timestamp() ELSE $6 END, $7, now())
     ON CONFLICT (runbook) DO UPDATE SET content_hash = excluded.content_hash, level = excluded.level,
       is_lost = excluded.is_lost, counts_from = excluded.counts_from, reason = excluded.reason, changed_at = now()`,
    [
      ...[runbook, pin, trust.level, trust.isLost],
      ...[trust.countsFrom === "now", trust.countsFrom === "now" ? null : trust.countsFrom],
      trust.reason,
    ],
  );
}

export interface TrustReset {
  readonly runbook: string;
  readonly pin: string;
  readonly by: string;
  readonly reason: string;
  /** Where `by` may not alone raise it to `auto` (`whyNotAlone`): what tells whether that is what happens. */
  readonly bound?: { readonly grant: PromotionLevel; readonly rules: PromotionRules } | undefined;
}

/**
 * A person has looked: the breaker is closed and its page taken back, what the policy grants counts again, and what was
 * before costs nothing any more. Call it in a transaction. In this order (trust, audit, rows), so that nobody waits for
 * it in a circle. True when it was given back as far as `approve` and no further.
 */
export async function resetTrust(tx: Sql, reset: TrustReset): Promise<boolean> {
  const { runbook, pin, by, reason } = reset;
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('trust:' || $1))", [runbook]);
  const isBounded = await raisesToAuto(tx, reset);
  await appendAudit(tx, {
    actor: by,
    action: "runbook.trust-reset",
    target: `runbook:${runbook}`,
    details: { reason, ...(isBounded ? { at_most: "approve" } : {}) },
  });
  const subject: TrustSubject = { runbook, pin, grant: "manual" };
  const level = isBounded ? "approve" : ((await readStored(tx, subject))?.level ?? "manual");
  await writeTrust(tx, subject, { level, isLost: isBounded, countsFrom: "now", reason });
  await closeBreaker(tx, { runbook, by });
  await resolveNotices(tx, breakerKey(runbook), {
    message: breakerClosed({ runbook, by, reason }),
    details: { runbook, by, reason },
    reason: "trust-reset",
  });
  return isBounded;
}

async function raisesToAuto(tx: Sql, { runbook, pin, bound }: TrustReset): Promise<boolean> {
  if (!bound) return false;
  const { stored, promotion } = await judge(tx, { runbook, pin, grant: bound.grant }, bound.rules);
  const after = higherOf(stored?.level ?? "manual", bound.grant);
  return promotion.level !== "auto" && after === "auto";
}
