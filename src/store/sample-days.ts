/** Whole days as they are kept, for whoever decodes them elsewhere: a backtest that reads a running system over its API. */
import { encodeChunk, mergeSamples, type Samples } from "../alert/chunk.js";
import type { Sql } from "./database.js";
import { type ChunkRow, dayOf, decodeChunks, readChunks } from "./sample-chunks.js";
import { readFormerSamples, readRoundSamples } from "./sample-spans.js";
import type { Labels } from "./series-ids.js";

export interface SeriesDays {
  readonly id: number;
  readonly labels: Labels;
  /** In order, one each; a day that `from` or `to` lies in may be whole. */
  readonly days: readonly { readonly dayMs: number; readonly data: Uint8Array }[];
}

export interface DaysWanted {
  readonly metric: string;
  readonly from: Date;
  readonly to: Date;
  /** The series that the page before ended with; 0 for the first. */
  readonly after: number;
  /** Series on a page. */
  readonly limit: number;
}

/** A page of series, in order of their ids: none has all been read. A series may be without days. */
export async function readSampleDays(sql: Sql, wanted: DaysWanted): Promise<SeriesDays[]> {
  const { metric, from, to, after, limit } = wanted;
  const { rows } = await sql.query<{ id: number; labels: Labels }>(
    "SELECT id, labels FROM control.series WHERE metric = $1 AND id > $2 ORDER BY id LIMIT $3",
    [metric, after, limit],
  );
  const spans = rows.map(({ id }) => ({ id, from }));
  const ids = rows.map(({ id }) => id);
  const rounds = await readRoundSamples(sql, spans, to);
  const former = await readFormerSamples(sql, spans, to);
  const chunks = await readChunks(sql, ids, from, to);
  return rows.map(({ id, labels }) => ({
    ...{ id, labels },
    days: daysOf(chunks.get(id) ?? [], former.get(id), rounds.get(id)),
  }));
}

/** Most days are a chunk and nothing else: those are handed on as they are. */
function daysOf(
  chunks: readonly ChunkRow[],
  former: Samples | undefined,
  rounds: Samples | undefined,
): SeriesDays["days"] {
  const days = new Map<number, Uint8Array>(chunks.map(({ dayMs, data }) => [dayMs, data]));
  const chunkOf = new Map(chunks.map((chunk) => [chunk.dayMs, decodeLater(chunk)]));
  const loose = new Set([...daysIn(former), ...daysIn(rounds)]);
  for (const dayMs of loose) {
    const older = mergeSamples(cutDay(former, dayMs), chunkOf.get(dayMs)?.() ?? NONE);
    days.set(dayMs, encodeChunk(dayMs, mergeSamples(older, cutDay(rounds, dayMs))));
  }
  return [...days].sort(([a], [b]) => a - b).map(([dayMs, data]) => ({ dayMs, data }));
}

const NONE: Samples = { times: new Float64Array(0), values: new Float64Array(0) };
const decodeLater = (chunk: ChunkRow) => (): Samples => decodeChunks([chunk]);

function daysIn(samples: Samples = NONE): Set<number> {
  return new Set(Array.from(samples.times, dayOf));
}

function cutDay({ times, values }: Samples = NONE, dayMs: number): Samples {
  const isOfDay = (i: number) => dayOf(times[i]!) === dayMs;
  return { times: times.filter((_, i) => isOfDay(i)), values: values.filter((_, i) => isOfDay(i)) };
}
