/** Silences as they are kept: those that people make by the API. Git's are laid in by git-silences.ts. */
import { randomUUID } from "node:crypto";
import { type Silence, stateOfSilence } from "../alert/silence.js";
import {
  checkSilence,
  type NewSilence,
  planUpdate,
  type SilenceGround,
} from "../alert/silence-wish.js";
import type { JsonObject } from "../base/json.js";
import { type Matcher, printMatcher } from "../policy/matcher.js";
import { appendAudit } from "./audit.js";
import type { Sql } from "./database.js";

export interface KnownSilence extends Silence {
  /** Who ended it before its time; null: nobody. */
  readonly endedBy: string | null;
  /** When it last hid an alert that fires; null: never yet. */
  readonly matchedAt: Date | null;
  /** How many at once, in the last minutes. */
  readonly matches: number;
}

const COLUMNS = `id, source, name, matchers, starts_at AS "startsAt", ends_at AS "endsAt", created_by AS "createdBy",
  comment, silences_pages AS "silencesPages", updated_at AS "updatedAt", ended_by AS "endedBy",
  matched_at AS "matchedAt", matches`;

/** More than these at once are not silences but a monitoring that is switched off. */
export const OPEN_SILENCES_MAX = 200;
/** Of those that are over, as many are shown, and as long as Alertmanager shows them by default. */
const ENDED_SHOWN_MAX = 500;
const ENDED_SHOWN_DAYS = 5;

/** Those that hold at this moment, oldest first. */
export async function activeSilences(sql: Sql, now: Date): Promise<KnownSilence[]> {
  const { rows } = await sql.query<KnownSilence>(
    `SELECT ${COLUMNS} FROM control.silence WHERE starts_at <= $1 AND ends_at > $1 ORDER BY created_at, id`,
    [now],
  );
  return rows;
}

/** Active ones first, the next to end foremost; then those to come; then those that are over, the last foremost. */
export async function listSilences(sql: Sql, now: Date): Promise<KnownSilence[]> {
  const { rows } = await sql.query<KnownSilence>(
    `SELECT ${COLUMNS} FROM control.silence WHERE ends_at > $1::timestamptz - $2 * interval '1 day'
     ORDER BY ends_at <= $1, starts_at > $1, CASE
       WHEN ends_at <= $1 THEN -extract(epoch FROM ends_at)
       WHEN starts_at > $1 THEN extract(epoch FROM starts_at)
       ELSE extract(epoch FROM ends_at) END, id
     LIMIT $3`,
    [now, ENDED_SHOWN_DAYS, OPEN_SILENCES_MAX + ENDED_SHOWN_MAX],
  );
  return rows;
}

/** Null: there is none. */
export async function readSilence(sql: Sql, id: string): Promise<KnownSilence | null> {
  const { rows } = await sql.query<KnownSilence>(
    `SELECT ${COLUMNS} FROM control.silence WHERE id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

export type Posted =
  | { readonly outcome: "done"; readonly id: string }
  /** What is wrong with it, each a sentence. */
  | { readonly outcome: "refused"; readonly reasons: readonly string[] }
  /** It names a silence that there is not. */
  | { readonly outcome: "not-found" };

export interface PostContext extends SilenceGround {
  /** `api:ann`, for the audit. */
  readonly by: string;
  readonly now: Date;
}

/** Makes a silence, or changes one; what makes it another one ends the old one. In one transaction. */
export async function postSilence(
  tx: Sql,
  wish: NewSilence,
  context: PostContext,
): Promise<Posted> {
  await lockSilences(tx);
  const existing = wish.id === null ? null : await readSilence(tx, wish.id);
  if (wish.id !== null && !existing) return { outcome: "not-found" };
  const plan = existing ? planUpdate(existing, wish, context.now) : "expire-and-new";
  if (typeof plan === "object") return { outcome: "refused", reasons: [plan.refused] };
  const settled = {
    ...wish,
    startsAt: startOf(wish, plan === "in-place" ? existing : null, context),
  };
  const reasons = checkSilence(settled, context, context.now);
  if (reasons.length > 0) return { outcome: "refused", reasons };
  if (plan === "in-place") return changeInPlace(tx, existing!.id, settled, context);
  if (existing) await endSilence(tx, existing, context);
  return insertSilence(tx, settled, context);
}

/** One at a time: two clients that change one silence at once would both end it and make two. */
async function lockSilences(tx: Sql): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('control.silence'))");
}

/** A start in the past is now; one that began stays as it began. */
function startOf({ startsAt }: NewSilence, existing: Silence | null, { now }: PostContext): Date {
  if (existing && stateOfSilence(existing, now) === "active") return existing.startsAt;
  return startsAt < now ? now : startsAt;
}

async function changeInPlace(
  tx: Sql,
  id: string,
  wish: NewSilence,
  { by, now }: PostContext,
): Promise<Posted> {
  await tx.query(
    `UPDATE control.silence SET starts_at = $2, ends_at = $3, created_by = $4, comment = $5, silences_pages = $6,
       updated_at = $7, ended_by = NULL WHERE id = $1`,
    [id, wish.startsAt, wish.endsAt, wish.createdBy, wish.comment, wish.silencesPages, now],
  );
  await audit(tx, by, "silence.changed", id, wish);
  return { outcome: "done", id };
}

async function insertSilence(tx: Sql, wish: NewSilence, { by, now }: PostContext): Promise<Posted> {
  const id = randomUUID();
  const { rows } = await tx.query(
    `INSERT INTO control.silence
       (id, source, matchers, starts_at, ends_at, created_by, comment, silences_pages, created_at, updated_at)
     SELECT $1, 'api', $2, $3, $4, $5, $6, $7, $8, $8
     WHERE (SELECT count(*) FROM control.silence WHERE ends_at > $8) < $9 RETURNING id`,
    [
      ...[id, JSON.stringify(wish.matchers), wish.startsAt, wish.endsAt, wish.createdBy],
      ...[wish.comment, wish.silencesPages, now, OPEN_SILENCES_MAX],
    ],
  );
  if (rows.length === 0)
    return {
      outcome: "refused",
      reasons: [`there are ${OPEN_SILENCES_MAX} silences already: expire some that nobody needs`],
    };
  await audit(tx, by, "silence.created", id, wish);
  return { outcome: "done", id };
}

/** Of Git's, too: whoever is awake may let alerts speak again. */
export async function expireSilence(
  tx: Sql,
  id: string,
  who: { readonly by: string; readonly now: Date },
): Promise<"expired" | "was-over" | "not-found"> {
  await lockSilences(tx);
  const existing = await readSilence(tx, id);
  if (!existing) return "not-found";
  return (await endSilence(tx, existing, who)) ? "expired" : "was-over";
}

/** One that has not begun never will. Nothing is erased before retention. */
export async function endSilence(
  tx: Sql,
  { id, matchers }: Silence,
  { by, now }: { readonly by: string; readonly now: Date },
): Promise<boolean> {
  const { rows } = await tx.query(
    `UPDATE control.silence SET starts_at = least(starts_at, $2), ends_at = $2, updated_at = $2, ended_by = $3
     WHERE id = $1 AND ends_at > $2 RETURNING id`,
    [id, now, by],
  );
  if (rows.length === 0) return false;
  await appendAudit(tx, {
    ...{ actor: by, action: "silence.ended", target: `silence:${id}` },
    details: { matchers: matchers.map(printMatcher) },
  });
  return true;
}

async function audit(
  tx: Sql,
  actor: string,
  action: string,
  id: string,
  wish: Omit<NewSilence, "id">,
): Promise<void> {
  await appendAudit(tx, { actor, action, target: `silence:${id}`, details: factsOf(wish) });
}

export function factsOf(wish: {
  readonly matchers: readonly Matcher[];
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly createdBy: string;
  readonly comment: string;
  readonly silencesPages: boolean;
}): JsonObject {
  return {
    matchers: wish.matchers.map(printMatcher),
    from: wish.startsAt.toISOString(),
    until: wish.endsAt.toISOString(),
    owner: wish.createdBy,
    reason: wish.comment,
    silences_pages: wish.silencesPages,
  };
}

/**
 * How many firing alerts each active silence hid at a tick; what is not named hid none. A tick judges only the rules
 * that are due, so what is kept is the most of a minute, and "none" only after five without any. In the evaluator's
 * transaction, in the order of ids; most ticks write nothing.
 */
export async function noteMatches(
  tx: Sql,
  counts: ReadonlyMap<string, number>,
  now: Date,
): Promise<void> {
  await tx.query(
    `WITH seen AS (
       SELECT s.id, coalesce(c.count, 0) AS count FROM control.silence s
       LEFT JOIN unnest($1::uuid[], $2::int[]) AS c (id, count) USING (id)
       WHERE s.starts_at <= $3 AND s.ends_at > $3 AND CASE
         WHEN coalesce(c.count, 0) > s.matches THEN true
         WHEN c.count > 0 THEN s.matched_at <= $3 - interval '1 minute'
         ELSE s.matches > 0 AND s.matched_at <= $3 - interval '5 minutes' END
       ORDER BY s.id FOR UPDATE OF s SKIP LOCKED
     )
     UPDATE control.silence s SET matches = seen.count,
       matched_at = CASE WHEN seen.count > 0 THEN $3 ELSE s.matched_at END
     FROM seen WHERE s.id = seen.id`,
    [[...counts.keys()], [...counts.values()], now],
  );
}
