/** The newest sample of a series, however old: without reading what lies between. */
import { decodeChunk } from "../alert/chunk.js";
import type { Point } from "../alert/series.js";
import type { Sql } from "./database.js";

/** Whoever still reports is found in these; only the silent are looked for in all rounds. */
const RECENT_MS = 5 * 60_000;
/** Of so many it is cheaper to ask each round whether it has any of them than to take it apart: 40 ms instead of 200. */
const FEW = 32;

interface NewestRow {
  readonly id: number;
  readonly at: number;
  readonly value: number;
}

/** At or before `to`, by series; those without any sample are not in it. */
export async function readNewest(
  sql: Sql,
  ids: readonly number[],
  to: Date,
): Promise<Map<number, Point>> {
  const newest = new Map<number, Point>();
  if (ids.length === 0) return newest;
  // At the same moment the first that said it holds: rounds are newer than chunks, and these than rows.
  const take = (rows: readonly NewestRow[]) => {
    for (const { id, at, value } of rows) {
      const known = newest.get(id);
      if (known === undefined || known.at < at) newest.set(id, { at, value });
    }
  };
  take(await readNewestInRounds(sql, ids, new Date(to.getTime() - RECENT_MS), to));
  const silent = ids.filter((id) => !newest.has(id));
  take(await readNewestInRounds(sql, silent, null, to));
  take(await readNewestInChunks(sql, ids, to));
  take(await readNewestFormer(sql, ids, newest, to));
  return newest;
}

const AS_MS = (time: string) => `(extract(epoch FROM ${time}) * 1000)::float8`;

async function readNewestInRounds(
  sql: Sql,
  ids: readonly number[],
  after: Date | null,
  to: Date,
): Promise<NewestRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql.query<NewestRow>(
    `SELECT DISTINCT ON (u.id) u.id, ${AS_MS("r.slot")} AS at, u.value
     FROM control.sample_round r CROSS JOIN LATERAL unnest(r.series_ids, r.values) AS u (id, value)
     WHERE u.id = ANY ($1) AND r.slot > coalesce($2, '-infinity'::timestamptz) AND r.slot <= $3
       AND ($4 OR r.series_ids && $1)
     ORDER BY u.id, r.slot DESC, r.source COLLATE "C" DESC`,
    [ids, after, to, ids.length > FEW],
  );
  return rows;
}

interface HeadRow extends NewestRow {
  readonly dayMs: number;
  /** Only where the day goes on after `to`. */
  readonly data: Uint8Array | null;
}

async function readNewestInChunks(
  sql: Sql,
  ids: readonly number[],
  to: Date,
): Promise<NewestRow[]> {
  const { rows } = await sql.query<HeadRow>(
    `SELECT w.id, c.* FROM unnest($1::int[]) AS w (id)
     CROSS JOIN LATERAL (
       SELECT ${AS_MS("to_at")} AS at, last_value AS value, ((day - DATE '1970-01-01') * 86400000::float8) AS "dayMs",
         CASE WHEN to_at > $2 THEN data END AS data
       FROM control.sample_chunk WHERE series_id = w.id AND from_at <= $2 ORDER BY day DESC LIMIT 1) AS c`,
    [ids, to],
  );
  return rows.map((row) => (row.data === null ? row : newestOf(row, row.data, to.getTime())));
}

function newestOf({ id, dayMs }: HeadRow, data: Uint8Array, toMs: number): NewestRow {
  const { times, values } = decodeChunk(dayMs, data);
  // It begins at or before `to`: there is one.
  const place = times.findLastIndex((time) => time <= toMs);
  return { id, at: times[place]!, value: values[place]! };
}

/** Rows of the version before, if they are newer than what is known. */
async function readNewestFormer(
  sql: Sql,
  ids: readonly number[],
  known: ReadonlyMap<number, Point>,
  to: Date,
): Promise<NewestRow[]> {
  const after = ids.map((id) => known.get(id)?.at).map((at) => at && new Date(at).toISOString());
  const { rows } = await sql.query<NewestRow>(
    `SELECT w.id, p.at, p.value FROM unnest($1::int[], $2::timestamptz[]) AS w (id, since)
     CROSS JOIN LATERAL (
       SELECT ${AS_MS("s.at")} AS at, s.value FROM control.sample s
       WHERE s.series_id = w.id AND s.at > coalesce(w.since, '-infinity') AND s.at <= $3
       ORDER BY s.at DESC LIMIT 1) AS p`,
    [ids, after.map((at) => at ?? null), to],
  );
  return rows;
}
