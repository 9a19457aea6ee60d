/** The samples of a span, from all three places where they may lie. What lies in two of them is taken from the newest. */
import { mergeSamples, type Samples } from "../alert/chunk.js";
import type { Sql } from "./database.js";
import { type ChunkRow, decodeChunks, readChunks } from "./sample-chunks.js";

/** A series, and the moment from which it is wanted (excluded). */
export interface SeriesSpan {
  readonly id: number;
  readonly from: Date;
}

/** A statement returns no more than the months of this many series: tens of megabytes, well within its time. */
const SERIES_A_STATEMENT = 60;

/** In (from, to], by series; those without any sample are not in it. */
export async function readSpans(
  sql: Sql,
  spans: readonly SeriesSpan[],
  to: Date,
): Promise<Map<number, Samples>> {
  const found = new Map<number, Samples>();
  if (spans.length === 0) return found;
  const newest = await readRoundSamples(sql, spans, to);
  for (let i = 0; i < spans.length; i += SERIES_A_STATEMENT) {
    const page = spans.slice(i, i + SERIES_A_STATEMENT);
    const former = await readFormerSamples(sql, page, to);
    const ids = page.map(({ id }) => id);
    const earliest = new Date(Math.min(...page.map(({ from }) => from.getTime())));
    const chunks = await readChunks(sql, ids, earliest, to);
    for (const { id, from } of page) {
      const kept = assemble(chunks.get(id) ?? [], newest.get(id) ?? NONE);
      const old = former.get(id);
      const samples = cut(old ? mergeSamples(old, kept) : kept, from, to);
      if (samples.times.length > 0) found.set(id, samples);
    }
  }
  return found;
}

const NONE: Samples = { times: new Float64Array(0), values: new Float64Array(0) };

/** The rounds mostly come after the chunks: then a month is written once, and not copied. */
function assemble(chunks: readonly ChunkRow[], rounds: Samples): Samples {
  if (chunks.length === 0) return rounds;
  const { times, values, length } = decodeChunks(chunks, rounds.times.length);
  const isAfter = rounds.times.length === 0 || times[length - 1]! < rounds.times[0]!;
  if (!isAfter) {
    const folded = { times: times.subarray(0, length), values: values.subarray(0, length) };
    return mergeSamples(folded, rounds);
  }
  times.set(rounds.times, length);
  values.set(rounds.values, length);
  return { times, values };
}

function cut({ times, values }: Samples, from: Date, to: Date): Samples {
  const first = firstAfter(times, from.getTime());
  const last = firstAfter(times, to.getTime());
  return { times: times.subarray(first, last), values: values.subarray(first, last) };
}

/** The first place whose time is later than `ms`. */
function firstAfter(times: Float64Array, ms: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

const WANTED = "wanted AS (SELECT * FROM unnest($1::int[], $2::timestamptz[]) AS w (id, since))";
const ROUND_ROWS = `
  WITH ${WANTED}, picked AS (
    SELECT u.id, r.slot AS at, r.source COLLATE "C" AS source, u.value FROM control.sample_round r
    CROSS JOIN LATERAL unnest(r.series_ids, r.values) AS u (id, value)
    JOIN wanted w ON w.id = u.id AND r.slot > w.since
    WHERE r.slot > (SELECT min(since) FROM wanted) AND r.slot <= $3
  )`;
const FORMER_ROWS = `
  WITH ${WANTED}, picked AS (
    SELECT w.id, s.at, '' AS source, s.value FROM wanted w
    CROSS JOIN LATERAL (
      SELECT at, value FROM control.sample WHERE series_id = w.id AND at > w.since AND at <= $3) AS s
  )`;

interface PickedRow {
  readonly id: number;
  readonly times: number[];
  readonly values: number[];
}

/** What is not folded yet. */
export async function readRoundSamples(
  sql: Sql,
  spans: readonly SeriesSpan[],
  to: Date,
): Promise<Map<number, Samples>> {
  return readRows(sql, ROUND_ROWS, spans, to);
}

/** What a version wrote that knew only rows. */
export async function readFormerSamples(
  sql: Sql,
  spans: readonly SeriesSpan[],
  to: Date,
): Promise<Map<number, Samples>> {
  return readRows(sql, FORMER_ROWS, spans, to);
}

async function readRows(
  sql: Sql,
  picked: string,
  spans: readonly SeriesSpan[],
  to: Date,
): Promise<Map<number, Samples>> {
  // In one order with the group: grouping sorts once more, and does not keep an order that it was given.
  const { rows } = await sql.query<PickedRow>(
    `${picked} SELECT id, array_agg((extract(epoch FROM at) * 1000)::float8) AS times, array_agg(value) AS values
     FROM (SELECT * FROM picked ORDER BY id, at, source) AS ordered GROUP BY id`,
    [spans.map(({ id }) => id), spans.map(({ from }) => from.toISOString()), to],
  );
  return new Map(rows.map(({ id, times, values }) => [id, unique(times, values)]));
}

/** Two sources may have said something of the same moment: the last one in order of names holds. */
function unique(times: readonly number[], values: readonly number[]): Samples {
  const isLast = (i: number) => times[i] !== times[i + 1];
  return {
    times: Float64Array.from(times.filter((_, i) => isLast(i))),
    values: Float64Array.from(values.filter((_, i) => isLast(i))),
  };
}
