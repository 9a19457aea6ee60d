/**
 * M of the newest N points, by the rules of CloudWatch alarms word for word, so that a rule means here what it means
 * there (AWS user guide, "Configuring how CloudWatch alarms treat missing data"). Pure; points are newest last.
 */

/** Not breaching, breaching, missing. */
export type PointClass = "0" | "X" | "-";

/** `keep`: whatever it was before. */
export type WindowVerdict = "ok" | "alarm" | "insufficient" | "keep";

/** What a missing point stands for. */
export type MissingPoint = "breaching" | "notBreaching" | "ignore" | "missing";

export interface WindowRule {
  readonly m: number;
  readonly n: number;
  readonly missing: MissingPoint;
}

/** Older points that stand in for missing ones: for N = 3, five points are looked at. */
const EXTRA_POINTS = 2;

/** How many points are looked at, at most. */
export function evaluationRange(n: number): number {
  return n + EXTRA_POINTS;
}

/** Points before the first one given are missing. */
export function judgePoints(points: readonly PointClass[], rule: WindowRule): WindowVerdict {
  const { m, n, missing } = rule;
  const range = points.slice(-evaluationRange(n));
  const real = range.filter((point) => point !== "-");
  // Enough that were measured: the newest decide, and nothing is filled in.
  const deciding = real.slice(-n);
  const breaching = deciding.filter((point) => point === "X").length;
  const filled = missing === "breaching" ? n - deciding.length : 0;
  if (breaching + filled >= m) return "alarm";
  if (deciding.length === n || missing === "breaching" || missing === "notBreaching") return "ok";
  if (breaching < real.length) return "ok";
  return missing === "ignore" ? "keep" : judgeUnanswered(range, m);
}

/**
 * Nothing good was seen, and too little that is bad: an alarm once the oldest bad point is M points old, since no
 * good one can have been among the newer ("premature alarm state").
 */
function judgeUnanswered(range: readonly PointClass[], m: number): WindowVerdict {
  const oldest = range.indexOf("X");
  return oldest >= 0 && range.length - oldest >= m ? "alarm" : "insufficient";
}
