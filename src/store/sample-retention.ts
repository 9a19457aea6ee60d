/** How samples grow old: chunks by their day, rounds by their moment, and in the end the series that has none left. */
import type { Sql } from "./database.js";

/** Of chunks a batch holds some megabytes; of rounds a third of a million samples. */
const ROWS_A_BATCH = 500;

const OLD_CHUNKS = "day < ($1::timestamptz AT TIME ZONE 'UTC')::date";
const OLD_ROUNDS = "slot < $1";

/** How many samples of chunks and rounds are older than `before`, which is the beginning of a day (UTC). */
export async function countExpiredSamples(sql: Sql, before: Date): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT (SELECT coalesce(sum(samples), 0) FROM control.sample_chunk WHERE ${OLD_CHUNKS})
       + (SELECT coalesce(sum(cardinality(series_ids)), 0) FROM control.sample_round WHERE ${OLD_ROUNDS}) AS count`,
    [before],
  );
  return rows[0]!.count;
}

/** Deletes one batch and returns how many samples went; 0 means that nothing is left. */
export async function deleteExpiredSamples(sql: Sql, before: Date): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `WITH chunks AS (
       DELETE FROM control.sample_chunk WHERE (series_id, day) IN (
         SELECT series_id, day FROM control.sample_chunk WHERE ${OLD_CHUNKS} LIMIT ${ROWS_A_BATCH} FOR UPDATE SKIP LOCKED)
       RETURNING samples
     ), rounds AS (
       DELETE FROM control.sample_round WHERE (slot, source) IN (
         SELECT slot, source FROM control.sample_round WHERE ${OLD_ROUNDS} LIMIT ${ROWS_A_BATCH} FOR UPDATE SKIP LOCKED)
       RETURNING cardinality(series_ids) AS samples
     )
     SELECT (SELECT coalesce(sum(samples), 0) FROM chunks) + (SELECT coalesce(sum(samples), 0) FROM rounds) AS count`,
    [before],
  );
  return rows[0]!.count;
}

/**
 * Series without any sample, of any table: their cap has room again. One that comes back at this very moment
 * loses the sample that it came with, and is made anew by the next.
 */
export async function deleteEmptySeries(sql: Sql): Promise<number> {
  const { rowCount } = await sql.query(
    `DELETE FROM control.series s
     WHERE NOT EXISTS (SELECT FROM control.sample_chunk c WHERE c.series_id = s.id)
       AND s.id NOT IN (SELECT unnest(series_ids) FROM control.sample_round)
       AND NOT EXISTS (SELECT FROM control.sample p WHERE p.series_id = s.id)`,
  );
  return rowCount;
}
