/** Recorded numbers, and the few ways of reading them. Windows are half-open: (from, to]. */
import type { Aggregate, Selector } from "../policy/policy.js";
import type { Labels } from "./instance.js";

export interface Point {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly value: number;
}

/** One label set of one metric; points ascend in time. */
export interface Series {
  readonly metric: string;
  readonly labels: Labels;
  readonly points: readonly Point[];
}

export interface Window {
  /** Excluded. */
  readonly from: number;
  /** Included. */
  readonly to: number;
}

export type Combine = "sum" | "avg" | "min" | "max";

/** Series that a selector means, without values that are no numbers: NaN is missing data, not a value. */
export function selectSeries(all: readonly Series[], selector: Selector): Series[] {
  const wanted = Object.entries(selector.where);
  return all
    .filter((one) => one.metric === selector.metric)
    .filter((one) => wanted.every(([name, value]) => one.labels[name] === value))
    .map((one) => ({ ...one, points: one.points.filter((point) => Number.isFinite(point.value)) }));
}

export function pointsIn(points: readonly Point[], window: Window): Point[] {
  return points.filter((point) => point.at > window.from && point.at <= window.to);
}

/** The newest point at or before `at` that is younger than `lookbackMs`. */
export function newestBefore(
  points: readonly Point[],
  at: number,
  lookbackMs: number,
): Point | undefined {
  return pointsIn(points, { from: at - lookbackMs, to: at }).at(-1);
}

/**
 * One number for each moment at which any series has a point: the series' values at that moment,
 * combined. A series that reports at other moments counts with its newest value inside `lookbackMs`.
 */
export function combineOverTime(
  series: readonly Series[],
  combine: Combine,
  window: Window,
  lookbackMs: number,
): Point[] {
  const moments = new Set(series.flatMap((one) => pointsIn(one.points, window)).map((p) => p.at));
  return [...moments]
    .sort((a, b) => a - b)
    .map((at) => ({ at, value: combineAt(series, combine, at, lookbackMs) ?? Number.NaN }));
}

/** The series combined at one moment; null when none has a point inside the look-back. */
export function combineAt(
  series: readonly Series[],
  combine: Combine,
  at: number,
  lookbackMs: number,
): number | null {
  const values = series
    .map((one) => newestBefore(one.points, at, lookbackMs)?.value)
    .filter((value) => value !== undefined);
  return aggregate(combine, values);
}

/**
 * How much a counter grew inside the window; a fall is a restart from zero. The newest point at or
 * before the window's start is the base, so growth across the border is not lost. Null without two points.
 */
export function increaseOf(
  points: readonly Point[],
  window: Window,
  lookbackMs: number,
): { grown: number; seconds: number } | null {
  const base = newestBefore(points, window.from, lookbackMs);
  const used = base ? [base, ...pointsIn(points, window)] : pointsIn(points, window);
  const first = used[0];
  const last = used.at(-1);
  if (!first || !last || used.length < 2) return null;
  let grown = 0;
  for (let i = 1; i < used.length; i++) {
    const before = used[i - 1]!.value;
    const after = used[i]!.value;
    grown += after >= before ? after - before : after;
  }
  return { grown, seconds: (last.at - first.at) / 1_000 };
}

/** Null for no values. Percentiles are by nearest rank: a value that was really seen. */
export function aggregate(fn: Aggregate, values: readonly number[]): number | null {
  if (values.length === 0) return null;
  switch (fn) {
    case "avg":
      return mean(values);
    case "sum":
      return values.reduce((sum, value) => sum + value, 0);
    case "min":
      return values.reduce((least, value) => Math.min(least, value));
    case "max":
      return values.reduce((most, value) => Math.max(most, value));
    case "count":
      return values.length;
    default:
      return nearestRank(values, PERCENTILES[fn]);
  }
}

const PERCENTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999 } as const;

function nearestRank(values: readonly number[], share: number): number {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.max(Math.ceil(share * ordered.length) - 1, 0)]!;
}

/** Around the first value, so that the mean of equal values is that value to the last bit. */
function mean(values: readonly number[]): number {
  const origin = values[0]!;
  return origin + values.reduce((sum, value) => sum + (value - origin), 0) / values.length;
}
