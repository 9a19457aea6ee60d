/** Tables as lines of text, read through a cursor: memory grows neither with the table nor with its largest rows. */
import type { Session, Sql } from "./database.js";

export interface ExportColumn {
  readonly name: string;
  /** `text` is written by others: what it begins with is not ours to know. */
  readonly form: "text" | "number" | "time" | "hex";
}

interface Source {
  readonly table: string;
  /** Rows are read in its order; of rows that are only ever added. */
  readonly key: string;
  /** When a row was written. */
  readonly time: string;
  readonly columns: readonly ExportColumn[];
}

const text = (name: string): ExportColumn => ({ name, form: "text" });
const number = (name: string): ExportColumn => ({ name, form: "number" });
const time = (name: string): ExportColumn => ({ name, form: "time" });
const hex = (name: string): ExportColumn => ({ name, form: "hex" });

const SOURCES = {
  events: {
    ...{ table: "public.events", key: "id", time: "created_at" },
    columns: [
      ...[number("id"), text("delivery_id"), text("source"), text("event_type"), text("repo_id")],
      ...[text("payload"), time("occurred_at"), time("created_at")],
    ],
  },
  scores: {
    ...{ table: "public.scores", key: "id", time: "computed_at" },
    columns: [
      ...[number("id"), text("repo_id"), number("score"), time("computed_at"), text("parts")],
      ...[text("formula"), text("commit")],
    ],
  },
  audit: {
    ...{ table: "public.audit_log", key: "seq", time: "created_at" },
    columns: [
      ...[number("seq"), time("created_at"), text("actor"), text("action"), text("target")],
      ...[text("details"), hex("prev_hash"), hex("hash")],
    ],
  },
} as const satisfies Readonly<Record<string, Source>>;

export type ExportEntity = keyof typeof SOURCES;
export const EXPORT_ENTITIES = Object.keys(SOURCES) as ExportEntity[];

export function exportColumns(entity: ExportEntity): readonly ExportColumn[] {
  return SOURCES[entity].columns;
}

/** Of the table with what belongs to it, in bytes: more than its rows will take when they are compressed. */
export async function tableBytes(sql: Sql, entity: ExportEntity): Promise<number> {
  const { rows } = await sql.query<{ bytes: number }>(
    "SELECT pg_table_size($1::regclass) AS bytes",
    [SOURCES[entity].table],
  );
  return rows[0]!.bytes;
}

/** Rows that were written at or after `since` and before `until`; null: no bound. */
export interface ExportSpan {
  readonly since: Date | null;
  readonly until: Date | null;
}

/** Keys above `afterKey`, up to `maxKey` and with it. */
export interface ExportRange extends ExportSpan {
  readonly afterKey: number;
  readonly maxKey: number;
}

/** What there is now of a span. Rows that come later have larger keys. */
export async function readRange(
  sql: Sql,
  entity: ExportEntity,
  span: ExportSpan,
): Promise<ExportRange> {
  const { table, key, time } = SOURCES[entity];
  // Fenced: for the smallest key of a span the planner would else walk all keys before it.
  const inSpan = `(SELECT ${key} FROM ${table} WHERE ${time} >= $1 AND ${time} < $2 OFFSET 0)`;
  const isAll = span.since === null && span.until === null;
  const { rows } = await sql.query<{ first: number | null; last: number | null }>(
    `SELECT min(${key}) AS first, max(${key}) AS last FROM ${isAll ? table : inSpan} AS chosen`,
    isAll ? [] : [span.since ?? "-infinity", span.until ?? "infinity"],
  );
  const { first, last } = rows[0]!;
  return { ...span, afterKey: (first ?? 1) - 1, maxKey: last ?? 0 };
}

export interface ExportRow {
  readonly key: number;
  /** A JSON object, or for CSV a JSON array of texts and nulls by `exportColumns`. */
  readonly line: string;
}

export type ExportShape = "objects" | "cells";

/** As many rows a fetch, of at most so many bytes each; larger ones are fetched one by one. */
const FETCH_ROWS = 200;
const LINE_BYTES = 65_536;

/**
 * The rows of a range as of one moment, in the order of their keys. The session is of no other use until the last one,
 * or until the caller leaves off.
 */
export async function* streamRows(
  session: Session,
  entity: ExportEntity,
  shape: ExportShape,
  range: ExportRange,
): AsyncGenerator<ExportRow> {
  const { afterKey, maxKey, since, until } = range;
  const lines = linesOf(entity, shape);
  await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    // The same text for the same moment on every server; and no plan that sorts the whole table for its first rows.
    await session.query("SET LOCAL timezone = 'UTC'");
    await session.query("SET LOCAL cursor_tuple_fraction = 0.0001");
    // It holds no lock that others wait for, and a loaded machine may take long over the rows of one fetch.
    await session.query("SET LOCAL idle_in_transaction_session_timeout = '60s'");
    await session.query(
      `DECLARE exported NO SCROLL CURSOR FOR
       SELECT key, CASE WHEN octet_length(line) <= ${LINE_BYTES} THEN line END AS line FROM (${lines}) l`,
      [afterKey, maxKey, since, until],
    );
    for (;;) {
      const { rows } = await session.query<{ key: number; line: string | null }>(
        `FETCH ${FETCH_ROWS} FROM exported`,
      );
      if (rows.length === 0) return;
      for (const { key, line } of rows) {
        yield { key, line: line ?? (await readLine(session, lines, key)) };
      }
    }
  } finally {
    await session.query("ROLLBACK");
  }
}

/** In the same transaction, so of the same moment. */
async function readLine(session: Session, lines: string, key: number): Promise<string> {
  const { rows } = await session.query<ExportRow>(lines, [key - 1, key, null, null]);
  return rows[0]!.line;
}

/** With the parameters after, up to, since and until. A line is made once, whoever asks for its length. */
function linesOf(entity: ExportEntity, shape: ExportShape): string {
  const { table, key, time: writtenAt, columns }: Source = SOURCES[entity];
  const list = columns.map(({ name, form }) =>
    form === "hex" ? `encode(${name}, 'hex') AS ${name}` : name,
  );
  // As in JSON, where a time has one form whatever the session's settings are.
  const cells = columns.map(({ name, form }) =>
    form === "time" ? `to_jsonb(e.${name}) #>> '{}'` : `e.${name}::text`,
  );
  const line = shape === "objects" ? "to_jsonb(e)" : `to_jsonb(ARRAY[${cells.join(", ")}])`;
  return `SELECT e.${key} AS key, made.line FROM (
      SELECT ${list.join(", ")} FROM ${table}
      WHERE ${key} > $1 AND ${key} <= $2
        AND ($3::timestamptz IS NULL OR ${writtenAt} >= $3) AND ($4::timestamptz IS NULL OR ${writtenAt} < $4)
      ORDER BY ${key}
    ) e CROSS JOIN LATERAL (SELECT ${line}::text AS line OFFSET 0) made ORDER BY e.${key}`;
}
