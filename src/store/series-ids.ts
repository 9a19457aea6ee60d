/** Series: one label set of one metric, known by a number. Their number is bounded, and what the bound refused is counted. */
import { MONITORING_DEFAULTS } from "../policy/defaults.js";
import type { SampleLimits } from "../policy/monitoring.js";
import type { Sql } from "./database.js";

export type Labels = Readonly<Record<string, string>>;

export interface SeriesName {
  readonly metric: string;
  readonly labels: Labels;
}

export interface KnownSeries extends SeriesName {
  readonly id: number;
}

/** All label sets of these metrics, by metric and in order of their making. */
export async function readSeriesOf(sql: Sql, metrics: readonly string[]): Promise<KnownSeries[]> {
  const { rows } = await sql.query<KnownSeries>(
    "SELECT id, metric, labels FROM control.series WHERE metric = ANY ($1) ORDER BY metric, id",
    [metrics],
  );
  return rows;
}

export async function readSeriesById(
  sql: Sql,
  ids: readonly number[],
): Promise<Map<number, KnownSeries>> {
  const { rows } = await sql.query<KnownSeries>(
    "SELECT id, metric, labels FROM control.series WHERE id = ANY ($1)",
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * Makes those that are not there, as far as the limits allow. Returns how many of `samples` (one entry each)
 * belong to a series that was refused; they are counted in `control.sample_refusal` too.
 */
export async function admitSeries(
  sql: Sql,
  samples: readonly SeriesName[],
  limits: SampleLimits = MONITORING_DEFAULTS.samples,
): Promise<number> {
  const metrics = samples.map(({ metric }) => metric);
  const labels = samples.map((sample) => JSON.stringify(sample.labels));
  const { rows } = await sql.query<{ refused: number }>(
    `WITH refused AS MATERIALIZED (
       SELECT * FROM control.admit_series($1::text[], $2::jsonb[], $3, $4)
     ), given AS (
       SELECT g.metric, g.labels FROM unnest($1::text[], $2::jsonb[]) AS g (metric, labels)
     ), counted AS (
       SELECT g.metric, count(*) AS refused, min(r.refused_for) AS reason, (array_agg(g.labels))[1] AS example
       FROM given g JOIN refused r ON r.refused_metric = g.metric AND r.refused_labels = g.labels GROUP BY g.metric
     ), noted AS (
       INSERT INTO control.sample_refusal AS known (metric, refused, reason, example)
       SELECT metric, refused, reason, example FROM counted ORDER BY metric
       ON CONFLICT (metric) DO UPDATE SET refused = known.refused + excluded.refused,
         reason = excluded.reason, example = excluded.example, last_at = now()
     )
     SELECT coalesce(sum(refused), 0) AS refused FROM counted`,
    [metrics, labels, limits.seriesMax, limits.perMetricMax],
  );
  return rows[0]!.refused;
}
