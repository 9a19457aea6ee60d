/** Recorded numbers as they are read and pushed; the evaluator keeps them in columns (board.ts). */
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
