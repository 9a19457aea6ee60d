/** Samples of a window in four numbers a series, for people who look at them (EP-23). */
import type { Series } from "../alert/series.js";
import type { Sql } from "./database.js";
import { readWindows } from "./samples.js";

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
  const wanted = metrics.map((metric) => ({ metric, from: window.from }));
  return (await readWindows(sql, wanted, window.to)).map(summaryOf);
}

function summaryOf({ metric, labels, points }: Series): SeriesSummary {
  const last = points.at(-1)!;
  let [min, max, sum] = [last.value, last.value, 0];
  for (const { value } of points) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  const avg = sum / points.length;
  return { metric, labels, last: last.value, at: new Date(last.at), min, max, avg };
}
