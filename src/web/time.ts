/** Times and durations as callers write them. */
import { parseDuration } from "../base/duration.js";
import { misfit, type RequestPlace } from "./problem.js";

/** With a zone: a time without one means something else on each machine. */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

/** Null when it is none, also for a day that does not exist. */
export function parseInstant(text: string): Date | null {
  const instant = INSTANT.test(text) ? new Date(text) : null;
  return instant === null || Number.isNaN(instant.getTime()) ? null : instant;
}

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
