/** Samples of a window in four numbers a series, for people who look at them (EP-23). */
import type { Sql } from "./database.js";

export interface SeriesSummary {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly last: number;
  /** Of the last one. */
  readonly at: Date;
  readonly min: number;
  readonly max: number;
  readonly avg: number;
}

/** In (from, to]; series without samples in it are left out. */
export async function summarizeSamples(
  sql: Sql,
  metrics: readonly string[],
  window: { readonly from: Date; readonly to: Date },
): Promise<SeriesSummary[]> {
  const { rows } = await sql.query<SeriesSummary>(
    `SELECT s.metric, s.labels, newest.value AS last, newest.at, p.min, p.max, p.avg
     FROM control.series s
     CROSS JOIN LATERAL (
       SELECT value, at FROM control.sample
       WHERE series_id = s.id AND at > $2 AND at <= $3 ORDER BY at DESC LIMIT 1) AS newest
     CROSS JOIN LATERAL (
       SELECT min(value), max(value), avg(value) FROM control.sample
       WHERE series_id = s.id AND at > $2 AND at <= $3) AS p
     WHERE s.metric = ANY ($1)
     ORDER BY s.metric, s.labels`,
    [metrics, window.from, window.to],
  );
  return rows;
}
