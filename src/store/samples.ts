/**
 * Samples: written as rounds (a row for each moment of a source), read back as the alert room's series, wherever
 * they lie by then: in rounds, in the chunks that rounds are folded into, or in rows of the version before.
 */
import type { Samples } from "../alert/chunk.js";
import type { Point, Series } from "../alert/series.js";
import type { SampleLimits } from "../policy/monitoring.js";
import type { Sql } from "./database.js";
import { readNewest } from "./newest-samples.js";
import { readSpans } from "./sample-spans.js";
import { admitSeries, type KnownSeries, readSeriesOf } from "./series-ids.js";

export interface Sample {
  /** A name of metrics.yaml. */
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly at: Date;
  /** NaN and infinities are no samples: they are left out. */
  readonly value: number;
}

/**
 * One statement, a row a moment; three when a series is new. The same moment of the same source again is merged,
 * the newer value first. A series that the limits refuse (default: those of the shipped policy) is left out and counted.
 */
export async function insertSamples(
  sql: Sql,
  samples: readonly Sample[],
  source = "direct",
  limits?: SampleLimits,
): Promise<{ readonly refused: number }> {
  const finite = samples.filter(({ value }) => Number.isFinite(value));
  const unknown = await insertKnown(sql, finite, source);
  if (unknown.length === 0) return { refused: 0 };
  const refused = await admitSeries(sql, unknown, limits);
  if (refused < unknown.length) await insertKnown(sql, unknown, source);
  return { refused };
}

/** Two processes may add to a round at once: the later one merges into what the first has committed. */
const INSERT_ROUNDS = `
  WITH given AS (
    SELECT * FROM unnest($1::text[], $2::jsonb[], $3::timestamptz[], $4::float8[]) WITH ORDINALITY
      AS given (metric, labels, at, value, place)
  ), known AS (
    SELECT g.place, g.at, g.value, s.id FROM given g LEFT JOIN control.series s USING (metric, labels)
  ), latest AS (
    SELECT DISTINCT ON (at, id) at, id, value FROM known WHERE id IS NOT NULL ORDER BY at, id, place DESC
  ), stored AS (
    INSERT INTO control.sample_round AS r (slot, source, series_ids, values)
    SELECT at, $5, array_agg(id ORDER BY id), array_agg(value ORDER BY id) FROM latest GROUP BY at ORDER BY at
    ON CONFLICT (slot, source) DO UPDATE SET (series_ids, values) = (
      SELECT array_agg(id ORDER BY id), array_agg(value ORDER BY id) FROM (
        SELECT DISTINCT ON (id) id, value FROM (
          SELECT id, value, 0 AS age FROM unnest(excluded.series_ids, excluded.values) AS new (id, value)
          UNION ALL SELECT id, value, 1 FROM unnest(r.series_ids, r.values) AS old (id, value)
        ) AS united ORDER BY id, age) AS merged)
  )
  SELECT (place - 1)::int AS index FROM known WHERE id IS NULL ORDER BY place`;

/** Answers with those whose series is not there. */
async function insertKnown(
  sql: Sql,
  samples: readonly Sample[],
  source: string,
): Promise<readonly Sample[]> {
  if (samples.length === 0) return [];
  const { rows } = await sql.query<{ index: number }>(INSERT_ROUNDS, [
    samples.map(({ metric }) => metric),
    samples.map(({ labels }) => JSON.stringify(labels)),
    samples.map(({ at }) => at.toISOString()),
    samples.map(({ value }) => value),
    source,
  ]);
  return rows.map(({ index }) => samples[index]!);
}

/** A metric and the moment from which it is wanted (excluded). */
export interface WindowWanted {
  readonly metric: string;
  readonly from: Date;
}

/** The samples in (from, to] of several metrics; series without any are left out. */
export async function readWindows(
  sql: Sql,
  wanted: readonly WindowWanted[],
  to: Date,
): Promise<Series[]> {
  const earliest = new Map<string, Date>();
  for (const { metric, from } of wanted) {
    const known = earliest.get(metric);
    if (known === undefined || from < known) earliest.set(metric, from);
  }
  if (earliest.size === 0) return [];
  const series = await readSeriesOf(sql, [...earliest.keys()]);
  const spans = series.map(({ id, metric }) => ({ id, from: earliest.get(metric)! }));
  const samples = await readSpans(sql, spans, to);
  return toSeries(series, (id) => samples.get(id));
}

/** The newest sample of each series of these metrics at or before `to`, however old. */
export async function readLatest(
  sql: Sql,
  metrics: readonly string[],
  to: Date,
): Promise<Series[]> {
  if (metrics.length === 0) return [];
  const series = await readSeriesOf(sql, metrics);
  const newest = await readNewest(
    sql,
    series.map(({ id }) => id),
    to,
  );
  return series.flatMap(({ id, metric, labels }) => {
    const point = newest.get(id);
    return point ? [{ metric, labels, points: [point] }] : [];
  });
}

function toSeries(
  series: readonly KnownSeries[],
  samplesOf: (id: number) => Samples | undefined,
): Series[] {
  return series.flatMap(({ id, metric, labels }) => {
    const samples = samplesOf(id);
    if (!samples) return [];
    const points = Array.from(samples.times, (at, i): Point => ({ at, value: samples.values[i]! }));
    return [{ metric, labels, points }];
  });
}
