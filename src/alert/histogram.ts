/**
 * Percentiles of counted buckets: counters with the label `le`, each counting what was at most so much. Buckets of
 * several processes add up, which percentiles never do.
 */
import type { Labels } from "./instance.js";

/** The label of a bucket's upper bound; `+Inf` counts all. */
export const BOUND = "le";

/** The bound of a bucket; NaN where the label is missing or no number. */
export function boundOf(labels: Labels): number {
  const text = labels[BOUND] ?? "";
  return text === "+Inf" ? Number.POSITIVE_INFINITY : Number.parseFloat(text);
}

export interface Bucket {
  readonly bound: number;
  /** How many were at most `bound`. */
  readonly count: number;
}

/** How many there were; NaN without the bucket that counts all. */
export function totalOf(buckets: readonly Bucket[]): number {
  return buckets.find(({ bound }) => bound === Number.POSITIVE_INFINITY)?.count ?? Number.NaN;
}

/**
 * The value that this share stayed at or below; NaN for none. Inside a bucket values are taken as spread evenly;
 * beyond the last bound it is that bound.
 * @param buckets lowest bound first
 */
export function quantileOf(share: number, buckets: readonly Bucket[]): number {
  const rank = share * totalOf(buckets);
  if (!(rank > 0)) return Number.NaN;
  let lower: Bucket = { bound: 0, count: 0 };
  for (const { bound, count } of buckets) {
    // A process that started in between counted the bounds at slightly different moments.
    const upTo = Math.max(count, lower.count);
    if (upTo >= rank && upTo > lower.count && Number.isFinite(bound)) {
      return lower.bound + ((rank - lower.count) / (upTo - lower.count)) * (bound - lower.bound);
    }
    if (Number.isFinite(bound)) lower = { bound, count: upTo };
  }
  return lower.bound;
}
