/**
 * Rows of samples that the versions before wrote, folded into chunks a partition at a time: a month of rows is read in
 * minutes, a month of chunks in a second. Whatever ends in between, a row is in its partition or in its chunk.
 */
import type { Samples } from "../alert/chunk.js";
import type { Database, Sql } from "./database.js";
import { dayOf, lockFolding, mergeIntoDay, type SeriesSamples } from "./sample-chunks.js";
import { dropSampleDay, listSampleDaysBefore } from "./sample-partitions.js";

/** Of the oldest partition, which holds all days of before there were partitions, this is some months of rows. */
const SERIES_A_TRANSACTION = 20;

/**
 * The oldest partition that holds nothing younger than `before`; its name and how many rows it had, or null when
 * there is none. Throws a transient Fault when somebody uses the partition for longer than 2 s: the next call folds
 * it once more, to the same end.
 */
export async function foldFormerDay(
  db: Database,
  before: Date,
  signal: AbortSignal,
): Promise<{ readonly partition: string; readonly rows: number } | null> {
  const [partition] = await listSampleDaysBefore(db, before);
  if (partition === undefined) return null;
  const { rows } = await db.query<{ id: number }>("SELECT id FROM control.series ORDER BY id");
  for (let i = 0; i < rows.length; i += SERIES_A_TRANSACTION) {
    signal.throwIfAborted();
    const ids = rows.slice(i, i + SERIES_A_TRANSACTION).map(({ id }) => id);
    await db.transaction((tx) => foldSeries(tx, partition, ids));
  }
  return { partition, rows: await db.transaction((tx) => dropSampleDay(tx, partition)) };
}

interface FormerRow {
  readonly seriesId: number;
  readonly times: number[];
  readonly values: number[];
}

/** `partition` is a name that Postgres quoted. */
async function foldSeries(tx: Sql, partition: string, ids: readonly number[]): Promise<void> {
  const { rows } = await tx.query<FormerRow>(
    `SELECT series_id AS "seriesId", array_agg(value ORDER BY at) AS values,
       array_agg((extract(epoch FROM at) * 1000)::float8 ORDER BY at) AS times
     FROM ${partition} WHERE series_id = ANY ($1) GROUP BY series_id`,
    [ids],
  );
  if (rows.length === 0) return;
  await lockFolding(tx);
  for (const [dayMs, series] of byDay(rows)) await mergeIntoDay(tx, dayMs, series, "older");
}

function byDay(rows: readonly FormerRow[]): Map<number, SeriesSamples[]> {
  const days = new Map<number, SeriesSamples[]>();
  for (const { seriesId, times, values } of rows) {
    for (let from = 0; from < times.length; ) {
      const dayMs = dayOf(times[from]!);
      let until = from + 1;
      while (until < times.length && dayOf(times[until]!) === dayMs) until += 1;
      const samples = cut(times, values, from, until);
      days.set(dayMs, [...(days.get(dayMs) ?? []), { seriesId, samples }]);
      from = until;
    }
  }
  return days;
}

function cut(times: number[], values: number[], from: number, until: number): Samples {
  return {
    times: Float64Array.from(times.slice(from, until)),
    values: Float64Array.from(values.slice(from, until)),
  };
}
