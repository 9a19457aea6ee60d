/** All that a database keeps, as text: what a dump would hold, to look for what it must not. */
import type { Database } from "../../src/store/database.js";

/** One line of JSON a row, by `schema.table`. */
export async function readWholeText(db: Database): Promise<Map<string, string>> {
  const { rows: tables } = await db.query<{ table: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS table FROM information_schema.tables
     WHERE table_schema IN ('public', 'control') AND table_type = 'BASE TABLE' ORDER BY 1`,
  );
  const texts = new Map<string, string>();
  for (const { table } of tables) {
    const { rows } = await db.query<{ text: string | null }>(
      `SELECT string_agg(line, E'\\n' ORDER BY line) AS text FROM (SELECT to_jsonb(t)::text AS line FROM ${table} t) lines`,
    );
    texts.set(table, rows[0]!.text ?? "");
  }
  return texts;
}

/** `schema.table: … what was found …`, for each table whose text matches. */
export function placesIn(texts: ReadonlyMap<string, string>, pattern: RegExp): string[] {
  return [...texts].flatMap(([table, text]) => {
    const at = text.search(pattern);
    return at < 0 ? [] : [`${table}: …${text.slice(Math.max(0, at - 60), at + 60)}…`];
  });
}
