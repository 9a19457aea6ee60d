/** Samples: narrow rows by series, a series being one label set of one metric. Read back as the alert room's series. */
import type { Point, Series } from "../alert/series.js";
import type { Sql } from "./database.js";

export interface Sample {
  /** A name of metrics.yaml. */
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly at: Date;
  /** NaN and infinities are no samples: they are left out. */
  readonly value: number;
}

/**
 * One statement; series that are new are made by the way. The same moment again replaces the value.
 * Known series are looked up first: an insert that conflicts would burn a number of the identity each time.
 */
export async function insertSamples(sql: Sql, samples: readonly Sample[]): Promise<void> {
  const finite = samples.filter(({ value }) => Number.isFinite(value));
  if (finite.length === 0) return;
  await sql.query(
    `WITH given AS (
       SELECT * FROM unnest($1::text[], $2::jsonb[], $3::timestamptz[], $4::float8[])
         AS given (metric, labels, at, value)
     ), known AS (
       SELECT s.id, s.metric, s.labels FROM control.series s
       JOIN (SELECT DISTINCT metric, labels FROM given) AS wanted USING (metric, labels)
     ), made AS (
       INSERT INTO control.series AS s (metric, labels)
       SELECT DISTINCT metric, labels FROM given
       WHERE (metric, labels) NOT IN (SELECT metric, labels FROM known)
       -- Another process may make it at this moment: take its row, whatever our snapshot says.
       ON CONFLICT (metric, labels) DO UPDATE SET metric = s.metric
       RETURNING id, metric, labels
     ), series AS (SELECT * FROM known UNION ALL SELECT * FROM made)
     INSERT INTO control.sample (series_id, at, value)
     SELECT DISTINCT ON (id, at) id, at, value FROM given JOIN series USING (metric, labels)
     ON CONFLICT (series_id, at) DO UPDATE SET value = excluded.value`,
    [
      finite.map(({ metric }) => metric),
      finite.map(({ labels }) => JSON.stringify(labels)),
      finite.map(({ at }) => at.toISOString()),
      finite.map(({ value }) => value),
    ],
  );
}

/** A metric and the moment from which it is wanted (excluded). */
export interface WindowWanted {
  readonly metric: string;
  readonly from: Date;
}

interface SeriesRow {
  readonly metric: string;
  readonly labels: Record<string, string>;
  readonly ats: number[];
  readonly values: number[];
}

const AS_MS = "(extract(epoch FROM at) * 1000)::float8";

/** The samples in (from, to] of several metrics by one statement; series without any are left out. */
export async function readWindows(
  sql: Sql,
  wanted: readonly WindowWanted[],
  to: Date,
): Promise<Series[]> {
  if (wanted.length === 0) return [];
  const { rows } = await sql.query<SeriesRow>(
    `SELECT s.metric, s.labels, p.ats, p.values
     FROM (SELECT metric, min(since) AS since
           FROM unnest($1::text[], $2::timestamptz[]) AS given (metric, since) GROUP BY metric) AS w
     JOIN control.series s USING (metric)
     CROSS JOIN LATERAL (
       SELECT array_agg(${AS_MS} ORDER BY at) AS ats, array_agg(value ORDER BY at) AS values
       FROM control.sample WHERE series_id = s.id AND at > w.since AND at <= $3) AS p
     WHERE p.ats IS NOT NULL
     ORDER BY s.metric, s.id`,
    [wanted.map(({ metric }) => metric), wanted.map(({ from }) => from.toISOString()), to],
  );
  return rows.map(toSeries);
}

/** The newest sample of each series of these metrics at or before `to`, however old. */
export async function readLatest(
  sql: Sql,
  metrics: readonly string[],
  to: Date,
): Promise<Series[]> {
  if (metrics.length === 0) return [];
  const { rows } = await sql.query<SeriesRow>(
    `SELECT s.metric, s.labels, ARRAY[p.at_ms] AS ats, ARRAY[p.value] AS values
     FROM control.series s
     CROSS JOIN LATERAL (
       SELECT ${AS_MS} AS at_ms, value FROM control.sample
       WHERE series_id = s.id AND at <= $2 ORDER BY at DESC LIMIT 1) AS p
     WHERE s.metric = ANY ($1)
     ORDER BY s.metric, s.id`,
    [metrics, to],
  );
  return rows.map(toSeries);
}

function toSeries({ metric, labels, ats, values }: SeriesRow): Series {
  const points = ats.map((at, i): Point => ({ at, value: values[i]! }));
  return { metric, labels, points };
}
