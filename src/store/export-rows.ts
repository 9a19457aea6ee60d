/** Whole tables as lines of JSON, read through a cursor: memory does not grow with the table. */
import type { Session, Sql } from "./database.js";

/** What each entity of an export job reads, in the order of its key. */
const SELECTS = {
  events: "SELECT * FROM public.events ORDER BY id",
  scores: "SELECT * FROM public.scores ORDER BY id",
  audit: `SELECT seq, created_at, actor, action, target, details,
            encode(prev_hash, 'hex') AS prev_hash, encode(hash, 'hex') AS hash
          FROM public.audit_log ORDER BY seq`,
} as const;
export type ExportEntity = keyof typeof SELECTS;
export const EXPORT_ENTITIES = Object.keys(SELECTS) as ExportEntity[];

const TABLES: Readonly<Record<ExportEntity, string>> = {
  events: "public.events",
  scores: "public.scores",
  audit: "public.audit_log",
};

const FETCH_ROWS = 1_000;

/** About how many there are: counting a large table takes longer than a statement may. 0 when nobody knows. */
export async function estimateRows(sql: Sql, entity: ExportEntity): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    "SELECT greatest(reltuples, 0)::bigint AS count FROM pg_class WHERE oid = $1::regclass",
    [TABLES[entity]],
  );
  return rows[0]?.count ?? 0;
}

/** One JSON text a row, all as of one moment. The session is of no other use until the end. */
export async function* streamRows(session: Session, entity: ExportEntity): AsyncGenerator<string> {
  await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  await session.query(
    `DECLARE exported NO SCROLL CURSOR FOR SELECT to_jsonb(e)::text AS line FROM (${SELECTS[entity]}) e`,
  );
  for (;;) {
    const { rows } = await session.query<{ line: string }>(`FETCH ${FETCH_ROWS} FROM exported`);
    if (rows.length === 0) break;
    for (const { line } of rows) yield line;
  }
  await session.query("COMMIT");
}
