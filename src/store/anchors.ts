/** Heads of the audit chain that stand outside the database, and what the chain says to them. */
import type { AuditLink } from "./audit.js";
import type { Sql } from "./database.js";

export interface Anchor extends AuditLink {
  readonly at: Date;
}

export interface Contradiction {
  readonly anchor: Anchor;
  /** `rewritten`: another entry stands there. `cut`: none does, and retention cannot have taken it. */
  readonly kind: "rewritten" | "cut";
}

/** No policy lets an entry go after less than this, in milliseconds. */
const KEPT_AT_LEAST_MS = 86_400_000;

/** The newest that we noted; null: none yet. Whoever owns the database may write here what he likes: the place tells. */
export async function readNewestAnchor(sql: Sql): Promise<AuditLink | null> {
  const { rows } = await sql.query<AuditLink>(
    "SELECT seq, hash FROM control.audit_anchor ORDER BY seq DESC LIMIT 1",
  );
  return rows[0] ?? null;
}

export async function recordAnchor(
  sql: Sql,
  {
    seq,
    hash,
    place,
    reference,
  }: AuditLink & { readonly place: string; readonly reference: string },
): Promise<void> {
  await sql.query(
    `INSERT INTO control.audit_anchor (seq, hash, place, reference) VALUES ($1, $2, $3, $4)
     ON CONFLICT (seq) DO UPDATE SET hash = excluded.hash, place = excluded.place, reference = excluded.reference, anchored_at = now()`,
    [seq, hash, place, reference],
  );
}

/** The first anchor, by its number, that the chain contradicts; null: all fit, or are older than what is kept. */
export async function findContradiction(
  sql: Sql,
  anchors: readonly Anchor[],
): Promise<Contradiction | null> {
  const { rows: heads } = await sql.query<{ keptFrom: number; now: Date }>(
    `SELECT kept_from AS "keptFrom", clock_timestamp() AS now FROM control.audit_head`,
  );
  const { keptFrom, now } = heads[0]!;
  const found = await readHashes(sql, [...new Set(anchors.map(({ seq }) => seq))]);
  const sorted = [...anchors].sort((a, b) => a.seq - b.seq);
  for (const anchor of sorted) {
    const hash = found.get(anchor.seq);
    if (hash) {
      if (!hash.equals(anchor.hash)) return { anchor, kind: "rewritten" };
      continue;
    }
    const isYoung = now.getTime() - anchor.at.getTime() < KEPT_AT_LEAST_MS;
    if (anchor.seq >= keptFrom || isYoung) return { anchor, kind: "cut" };
  }
  return null;
}

async function readHashes(sql: Sql, seqs: readonly number[]): Promise<Map<number, Buffer>> {
  const { rows } = await sql.query<AuditLink>(
    "SELECT seq, hash FROM public.audit_log WHERE seq = ANY ($1::bigint[])",
    [seqs],
  );
  return new Map(rows.map(({ seq, hash }) => [seq, hash]));
}
