/** The unit in which a signal is compared, and thresholds as numbers of that unit. */
import { parseDuration } from "../base/duration.js";
import type { Aggregate, Signal, Unit } from "./policy.js";

/** `number` is a quotient or a rate: any number of 0 or more. */
export type SignalUnit = Unit | "number";
type Form = Signal["form"];

/** @param unit of the metric, for `div` what the rule says: `ratio` or `number`. */
export function unitOfSignal(form: Form, unit: SignalUnit, fn?: Aggregate): SignalUnit {
  if (form === "age") return "s";
  if (form === "ratio") return "ratio";
  if (form === "rate" || form === "burn") return "number";
  if (form === "agg" && fn === "count") return "count";
  return unit;
}

const UNIT_MS: Partial<Record<SignalUnit, number>> = { s: 1000, ms: 1 };

/** A threshold in the unit; null when a duration is given for something that is no time. */
export function thresholdNumber(raw: number | string, unit: SignalUnit): number | null {
  if (typeof raw === "number") return raw;
  const ms = parseDuration(raw);
  const unitMs = UNIT_MS[unit];
  return ms === null || unitMs === undefined ? null : ms / unitMs;
}

const EXPECTED: Partial<Record<SignalUnit, string>> = {
  ratio: "a fraction from 0 to 1",
  ms: "milliseconds or a duration such as 500ms",
  s: "seconds or a duration such as 60s",
  bytes: "a number of bytes",
  count: "a count",
};

export function expectedThreshold(unit: SignalUnit): string {
  return EXPECTED[unit] ?? "a number";
}

/** Whether a value of this unit can be there at all. */
export function isPossible(value: number, unit: SignalUnit): boolean {
  return value >= 0 && (unit !== "ratio" || value <= 1);
}
