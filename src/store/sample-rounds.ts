/** Rounds: what a source measured at one moment, a row each; and their folding into chunks, a block of two hours at a time. */
import type { Samples } from "../alert/chunk.js";
import { HOUR_MS } from "../base/duration.js";
import { ask } from "./ask-together.js";
import type { Sql } from "./database.js";
import { dayOf, lockFolding, mergeIntoDay } from "./sample-chunks.js";
import { type Labels, readSeriesById } from "./series-ids.js";

export interface Round {
  readonly slot: Date;
  readonly source: string;
  readonly samples: readonly {
    readonly metric: string;
    readonly labels: Labels;
    readonly value: number;
  }[];
}

interface RoundRow {
  readonly slot: Date;
  readonly source: string;
  readonly ids: number[];
  readonly values: number[];
}

const COLUMNS = "slot, source, series_ids AS ids, values";

/** A round that the reader has, with as many samples as it knows of. */
export interface KnownRound {
  readonly slot: Date;
  readonly source: string;
  readonly count: number;
}

/** Which of them to leave out: they are not sent, nor is their text taken apart. */
export interface RoundFilter {
  /** Unless more was added to them. */
  readonly known?: readonly KnownRound[];
  /** Only of sources that begin so. */
  readonly sourcePrefix?: string;
}

/** In (after, to], in order of time. What belongs to a series that is gone is left out. */
export async function readRoundsSince(
  sql: Sql,
  after: Date,
  to: Date,
  { known = [], sourcePrefix = "" }: RoundFilter = {},
): Promise<readonly Round[]> {
  const { rows } = await sql.query<RoundRow>(
    `SELECT ${COLUMNS} FROM control.sample_round r
     WHERE slot > $1 AND slot <= $2 AND starts_with(source, $3) AND NOT EXISTS (
       SELECT FROM unnest($4::timestamptz[], $5::text[], $6::int[]) AS known (slot, source, count)
       WHERE known.slot = r.slot AND known.source = r.source AND known.count = cardinality(r.series_ids))
     ORDER BY slot, source`,
    [
      ...[after, to, sourcePrefix, known.map(({ slot }) => slot.toISOString())],
      ...[known.map(({ source }) => source), known.map(({ count }) => count)],
    ],
  );
  return toRounds(sql, rows);
}

/** The newest one of each source that is not older than this, by the database's clock. */
export async function readNewestRounds(sql: Sql, maxAgeMs: number): Promise<readonly Round[]> {
  const { rows } = await sql.query<RoundRow>(
    `SELECT DISTINCT ON (source) ${COLUMNS} FROM control.sample_round
     WHERE slot > now() - $1 * interval '1 ms' ORDER BY source, slot DESC`,
    [maxAgeMs],
  );
  return toRounds(sql, rows);
}

async function toRounds(sql: Sql, rows: readonly RoundRow[]): Promise<Round[]> {
  const ids = [...new Set(rows.flatMap((row) => row.ids))];
  if (ids.length === 0) return [];
  const series = await readSeriesById(sql, ids);
  return rows.map(({ slot, source, ids: own, values }) => ({
    slot,
    source,
    samples: own.flatMap((id, i) => {
      const known = series.get(id);
      return known ? [{ metric: known.metric, labels: known.labels, value: values[i]! }] : [];
    }),
  }));
}

/** How many samples the limits have refused, ever. */
export function countRefusedSamples(sql: Sql): Promise<number> {
  const sum = "(SELECT coalesce(sum(refused), 0)::float8 FROM control.sample_refusal)";
  return ask<number>(sql, { name: "samples.refused", sql: sum });
}

const BLOCK_MS = 2 * HOUR_MS;
/** Of a flood of moments the rest is another block. */
const ROUNDS_A_BLOCK = 10_000;
/** Encoded without a pause: some 50 ms, so that nothing else in the process waits longer. */
const SERIES_A_STATEMENT = 100;

/**
 * Folds the oldest block of two hours that lies before `before` into chunks: each sample is in its rounds or in
 * its chunk, never in both or neither. Rounds that are just being added to wait for the next time. One at a time:
 * a second caller waits for the first one's transaction. Null: nothing is left to fold.
 */
export async function foldBlock(
  tx: Sql,
  before: Date,
): Promise<{ readonly rounds: number; readonly samples: number } | null> {
  await lockFolding(tx);
  const rounds = await takeRounds(tx, before);
  if (rounds.length === 0) return null;
  let samples = 0;
  for (const [dayMs, series] of byDay(rounds)) {
    const ids = [...series.keys()];
    for (let i = 0; i < ids.length; i += SERIES_A_STATEMENT) {
      samples += await foldSeries(tx, dayMs, series, ids.slice(i, i + SERIES_A_STATEMENT));
    }
  }
  return { rounds: rounds.length, samples };
}

async function takeRounds(tx: Sql, before: Date): Promise<RoundRow[]> {
  const { rows } = await tx.query<RoundRow>(
    `WITH oldest AS (
       SELECT min(slot) AS slot FROM control.sample_round WHERE slot < $1
     ), block AS MATERIALIZED (
       SELECT r.slot, r.source FROM control.sample_round r, oldest o
       WHERE r.slot >= o.slot AND r.slot < least($1, date_bin($2 * interval '1 ms', o.slot, 'epoch') + $2 * interval '1 ms')
       ORDER BY r.slot, r.source LIMIT ${ROUNDS_A_BLOCK} FOR UPDATE OF r SKIP LOCKED
     )
     DELETE FROM control.sample_round r USING block b WHERE r.slot = b.slot AND r.source = b.source
     RETURNING r.slot, r.source, r.series_ids AS ids, r.values`,
    [before, BLOCK_MS],
  );
  return rows.sort((a, b) => a.slot.getTime() - b.slot.getTime() || (a.source < b.source ? -1 : 1));
}

/** Values by time: of two sources at the same moment the later one in order of names holds, as for readers. */
type Collected = Map<number, Map<number, number>>;

function byDay(rounds: readonly RoundRow[]): Map<number, Collected> {
  const days = new Map<number, Collected>();
  for (const { slot, ids, values } of rounds) {
    const ms = slot.getTime();
    const series = days.get(dayOf(ms)) ?? new Map();
    days.set(dayOf(ms), series);
    ids.forEach((id, i) => {
      const moments = series.get(id) ?? new Map();
      series.set(id, moments.set(ms, values[i]!));
    });
  }
  return days;
}

async function foldSeries(
  tx: Sql,
  dayMs: number,
  series: Collected,
  ids: readonly number[],
): Promise<number> {
  const added = ids.map((id) => ({ seriesId: id, samples: toSamples(series.get(id)!) }));
  await mergeIntoDay(tx, dayMs, added, "newer");
  return added.reduce((sum, { samples }) => sum + samples.times.length, 0);
}

function toSamples(moments: ReadonlyMap<number, number>): Samples {
  return {
    times: Float64Array.from(moments.keys()),
    values: Float64Array.from(moments.values()),
  };
}
