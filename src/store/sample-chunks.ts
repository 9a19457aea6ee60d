/** Chunks: a row for each series and UTC day, its samples compressed by alert/chunk. */
import { decodeChunkInto, encodeChunk, mergeSamples, type Samples } from "../alert/chunk.js";
import { DAY_MS } from "../base/duration.js";
import type { Sql } from "./database.js";

export interface ChunkRow {
  readonly seriesId: number;
  /** When its day begins, in milliseconds since the epoch. */
  readonly dayMs: number;
  readonly samples: number;
  readonly data: Uint8Array;
}

const COLUMNS = `series_id AS "seriesId", ((day - DATE '1970-01-01') * 86400000::float8) AS "dayMs", samples, data`;

/** Those that hold something in (from, to], by series, and of each in order of their days. */
export async function readChunks(
  sql: Sql,
  ids: readonly number[],
  from: Date,
  to: Date,
): Promise<Map<number, ChunkRow[]>> {
  const { rows } = await sql.query<ChunkRow>(
    `SELECT ${COLUMNS} FROM control.sample_chunk
     WHERE series_id = ANY ($1) AND day >= $2::date AND day <= $3::date AND to_at > $4 AND from_at <= $5
     ORDER BY series_id, day`,
    [ids, dayText(from.getTime()), dayText(to.getTime()), from, to],
  );
  const bySeries = new Map<number, ChunkRow[]>();
  for (const row of rows) {
    const known = bySeries.get(row.seriesId);
    if (known) known.push(row);
    else bySeries.set(row.seriesId, [row]);
  }
  return bySeries;
}

/** Until the transaction ends nobody else rewrites chunks: a day that two had read would lose what one of them added. */
export async function lockFolding(tx: Sql): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtext('control.sample_chunk'))");
}

export interface SeriesSamples {
  readonly seriesId: number;
  readonly samples: Samples;
}

/** Under `lockFolding`. Of a moment that is there already what is added holds when it is the newer. None may be empty. */
export async function mergeIntoDay(
  tx: Sql,
  dayMs: number,
  added: readonly SeriesSamples[],
  age: "newer" | "older",
): Promise<void> {
  const { rows } = await tx.query<ChunkRow>(
    `SELECT ${COLUMNS} FROM control.sample_chunk WHERE series_id = ANY ($1) AND day = $2::date`,
    [added.map(({ seriesId }) => seriesId), dayText(dayMs)],
  );
  const known = new Map(rows.map((row) => [row.seriesId, row]));
  const merged = added.map(({ seriesId, samples }) => {
    const chunk = known.get(seriesId);
    if (!chunk) return { seriesId, samples };
    const there = decodeChunks([chunk]);
    const all = age === "newer" ? mergeSamples(there, samples) : mergeSamples(samples, there);
    return { seriesId, samples: all };
  });
  await writeChunks(tx, dayMs, merged);
}

/** Whole chunks: what was there of the same day is replaced. None of them may be empty. */
export async function writeChunks(
  tx: Sql,
  dayMs: number,
  chunks: readonly SeriesSamples[],
): Promise<void> {
  if (chunks.length === 0) return;
  await tx.query(
    `INSERT INTO control.sample_chunk (series_id, day, from_at, to_at, samples, last_value, data)
     SELECT id, $1::date, to_timestamp(from_ms / 1000), to_timestamp(to_ms / 1000), count, last, data
     FROM unnest($2::int[], $3::float8[], $4::float8[], $5::int[], $6::float8[], $7::bytea[])
       AS given (id, from_ms, to_ms, count, last, data) ORDER BY id
     ON CONFLICT (series_id, day) DO UPDATE SET from_at = excluded.from_at, to_at = excluded.to_at,
       samples = excluded.samples, last_value = excluded.last_value, data = excluded.data`,
    [
      dayText(dayMs),
      chunks.map(({ seriesId }) => seriesId),
      chunks.map(({ samples }) => samples.times[0]!),
      chunks.map(({ samples }) => samples.times.at(-1)!),
      chunks.map(({ samples }) => samples.times.length),
      chunks.map(({ samples }) => samples.values.at(-1)!),
      chunks.map(({ samples }) => Buffer.from(encodeChunk(dayMs, samples))),
    ],
  );
}

/**
 * Gives the room of replaced chunks to the next ones. A day is written twelve times, and who leaves the old ones
 * to autovacuum keeps several days of them. Not in a transaction. Left to autovacuum where that is at it already.
 */
export async function freeReplacedChunks(sql: Sql): Promise<void> {
  await sql.query("VACUUM (SKIP_LOCKED) control.sample_chunk");
}

/** Decodes a series' chunks, which are in order, one behind the other, and leaves `spare` places free at the end. */
export function decodeChunks(chunks: readonly ChunkRow[], spare = 0): Samples & { length: number } {
  const length = chunks.reduce((sum, { samples }) => sum + samples, 0);
  const into = {
    times: new Float64Array(length + spare),
    values: new Float64Array(length + spare),
  };
  let place = 0;
  for (const { dayMs, data } of chunks) place = decodeChunkInto(dayMs, data, into, place);
  return { ...into, length: place };
}

/** Milliseconds at which the UTC day of this moment begins. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

function dayText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
