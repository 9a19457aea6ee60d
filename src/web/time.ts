/** Durations as callers write them. */
import { parseDuration } from "../base/duration.js";
import { misfit, type RequestPlace } from "./problem.js";

/** Milliseconds of a duration. Throws `invalid-body` or `invalid-query` with the longest one in words. */
export function readDuration(
  text: string,
  at: {
    /** Default: the body. */
    readonly place?: RequestPlace;
    readonly pointer: string;
    readonly maxMs: number;
    readonly max: string;
  },
): number {
  const ms = parseDuration(text);
  if (ms !== null && ms >= 1 && ms <= at.maxMs) return ms;
  const message = `must be a duration such as 30m, at most ${at.max}`;
  throw misfit(at.place ?? "body", at.pointer, message);
}
