/** Months of samples at once: for the evaluator that takes over, and for backtests. */
import { Board } from "../alert/board.js";
import type { Sql } from "./database.js";
import { readSpans } from "./sample-spans.js";
import { readSeriesOf } from "./series-ids.js";

export interface HistoryWanted {
  readonly metrics: readonly string[];
  /** Excluded. */
  readonly from: Date;
  /** Included. */
  readonly to: Date;
}

/** Series without samples there have no column. Sixteen bytes a sample: a month of a series at 15 s takes 2.8 MB. */
export async function loadBoard(sql: Sql, { metrics, from, to }: HistoryWanted): Promise<Board> {
  const board = new Board();
  const series = await readSeriesOf(sql, metrics);
  const spans = series.map(({ id }) => ({ id, from }));
  const samples = await readSpans(sql, spans, to);
  for (const { id, metric, labels } of series) {
    const column = samples.get(id);
    if (column) board.adopt(metric, labels, column.times, column.values);
  }
  return board;
}

export interface Coverage {
  readonly metric: string;
  /** The earliest sample of any of its series there; null: it has none. */
  readonly since: Date | null;
  /** Of all its series together. */
  readonly samples: number;
}

/** How much there is of each metric, without reading what is well inside of the span. */
export async function readCoverage(
  sql: Sql,
  { metrics, from, to }: HistoryWanted,
): Promise<readonly Coverage[]> {
  const board = await loadBoard(sql, { metrics, from, to });
  return metrics.map((metric) => {
    const columns = board.columnsOf(metric);
    const since = Math.min(...columns.map(({ times }) => times[0]!));
    const samples = columns.reduce((sum, { length }) => sum + length, 0);
    return { metric, since: samples > 0 ? new Date(since) : null, samples };
  });
}
